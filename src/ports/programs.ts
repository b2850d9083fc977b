// Programs that this process starts, each as leader of a session and process group of its own.

/** A program that is to be started. */
export interface Program {
  /** Absolute path. */
  readonly path: string;
  /** Its arguments, the name that it is called by before them. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** The streams of a program that are read. */
export type StreamName = "stdout" | "stderr";

/** How a program ended. */
export type ProgramExit =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "signalled"; readonly signal: string }
  /** It never ran: an error as `StartProgram` throws it. */
  | { readonly kind: "failed"; readonly error: Error };

/** A program that was started. */
export interface StartedProgram {
  /** 0: it has none, for it never ran. */
  readonly pid: number;
  readonly exit: Promise<ProgramExit>;
  /** Nobody has its output open any more, or nobody reads it. */
  readonly closed: Promise<unknown>;
  /** Whether its process group has a member; a zombie counts. One system call. */
  groupExists(): boolean;
  /** Reads its output no more. */
  hangUp(): void;
  /** Its exit is taken in when it comes, but this process need not live on for it. */
  unref(): void;
}

/** Gets what a program prints, as it comes. */
export type OnOutput = (stream: StreamName, chunk: Buffer) => void;

/**
 * Starts a program with the user and groups of this process, /dev/null as standard input and `/` as directory. No file of this
 * process is open in it, no signal is blocked or ignored. Throws an error whose `code` is the name of the errno (execve(2),
 * posix_spawn(3), pipe(2)), unless that comes as its exit.
 */
export type StartProgram = (program: Program, onOutput: OnOutput) => StartedProgram;

/** Calls `onExit` once when the process has ended; undefined when it cannot be followed. The result ends that. */
export type ExitWatch = (pid: number, onExit: () => void) => (() => void) | undefined;

// Where programs of commands are looked up, and how running a command can end.

/** Where programs are looked up that are named without a path, and the PATH of commands. */
export const COMMAND_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** How a command ended. */
export type CommandEnding =
  | { readonly kind: "exited"; readonly status: number }
  /** A signal that was not ours. */
  | { readonly kind: "signalled"; readonly signal: string }
  /** Its time was over, and it was stopped. */
  | { readonly kind: "timed-out" }
  /** The caller stopped it. */
  | { readonly kind: "stopped" }
  /** It wrote more than it may, and was stopped. */
  | { readonly kind: "flooded"; readonly bytes: number }
  /** It exited with this status, but processes of its group lived on; they were killed. */
  | { readonly kind: "left-processes"; readonly status: number }
  /** It never ran. */
  | { readonly kind: "not-run"; readonly why: string };

/** A command that has ended. */
export interface FinishedCommand {
  readonly ending: CommandEnding;
  /** The last line of its output, cut and without control characters; empty when there was none. */
  readonly lastLine: string;
  /** Bytes of its output. */
  readonly outputBytes: number;
  readonly tookMs: number;
  /** Processes that even SIGKILL did not end in time (uninterruptible sleep in the kernel). */
  readonly unkillable: readonly number[];
}

/** The ending in words: `exit status 1`, `killed by SIGSEGV`. */
export function endingInWords(ending: CommandEnding): string {
  switch (ending.kind) {
    case "exited":
      return `exit status ${ending.status}`;
    case "signalled":
      return `killed by ${ending.signal}`;
    case "timed-out":
      return "not done in time: stopped";
    case "stopped":
      return "stopped";
    case "flooded":
      return `stopped after ${ending.bytes} bytes of output: print less, or send it to /dev/null`;
    case "left-processes":
      return `exit status ${ending.status}, but it left processes behind in its process group: they were killed; start lasting processes through the service manager`;
    case "not-run":
      return ending.why;
  }
}

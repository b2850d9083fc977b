// Starts programs of this process's own user. fork(2) copies the page tables of a daemon with hundreds of megabytes of mappings, a
// millisecond and more each time, in which its event loop stands still; posix_spawn(3) does not.

import { constants } from "node:os";
import process from "node:process";
import { getSystemErrorMessage, getSystemErrorName } from "node:util";
import { messageOf } from "../../src/base/errors.ts";
import type {
  ExitWatch,
  OnOutput,
  ProgramExit,
  StartedProgram,
  StartProgram,
  StreamName,
} from "../../src/ports/programs.ts";
import { ENOEXEC, errnoOf } from "./errors.ts";
import { closeFd, type Fd, readFd, type Watch, watchReadable } from "./native.ts";
import { groupExists, killGroup, openPidfd, openPipe, openSpawn, reap } from "./native-spawn.ts";

const SHELL = "/bin/sh";

const CHUNK_BYTES = 64 * 1024;

/** So many chunks of one stream are read in a row; then others get their turn. */
const BURST = 16;

const buffer = Buffer.allocUnsafe(CHUNK_BYTES);

/** `undefined`: this host cannot (glibc before 2.29, Linux before 5.3, or a filter of system calls). */
export function programStarter(): StartProgram | undefined {
  const spawn = openSpawn();
  if (spawn === undefined || !canFollow()) return undefined;
  return ({ path, argv, environment }, onOutput) => {
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    refuseNul(path, [...argv, ...variables]);
    const streams = openStreams(path);
    let pid: number;
    try {
      const more = { environment: variables, stdout: streams.stdout.writer, stderr: streams.stderr.writer };
      let answer = spawn({ path, argv, ...more });
      // As execvp(3) does, and Node.js with it: a script without a #! line is the shell's.
      if (answer === -ENOEXEC) answer = spawn({ path: SHELL, argv: [SHELL, path, ...argv.slice(1)], ...more });
      pid = spawned(path, answer);
    } catch (error) {
      for (const { reader } of Object.values(streams)) closeFd(reader);
      throw error;
    } finally {
      for (const { writer } of Object.values(streams)) closeFd(writer);
    }
    return follow(path, pid, streams, onOutput);
  };
}

type Streams = Readonly<Record<StreamName, { readonly reader: Fd; readonly writer: Fd }>>;

/** Whether the kernel tells of the end of a process. */
function canFollow(): boolean {
  try {
    closeFd(openPidfd(process.pid));
    return true;
  } catch {
    return false;
  }
}

/** Follows the end of any process of this host. */
export const watchExit: ExitWatch = (pid, onExit) => {
  let fd: Fd;
  try {
    fd = openPidfd(pid);
  } catch {
    // It is gone, or there are too many descriptors, or this kernel has none of this kind.
    return undefined;
  }
  let watch: Watch;
  try {
    watch = watchReadable(fd, () => {
      end();
      onExit();
    });
  } catch {
    closeFd(fd);
    return undefined;
  }
  let isOpen = true;
  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    watch.close();
    closeFd(fd);
  };
  return end;
};

/** What the kernel would take for the end of the text. */
function refuseNul(path: string, texts: readonly string[]): void {
  if (!texts.some((text) => text.includes("\0"))) return;
  throw new Error(`${path}: arguments and environment are texts without null bytes`);
}

function openStreams(path: string): Streams {
  return named(path, () => {
    const stdout = openPipe();
    try {
      return { stdout, stderr: openPipe() };
    } catch (error) {
      closeFd(stdout.reader);
      closeFd(stdout.writer);
      throw error;
    }
  });
}

function spawned(path: string, answer: number): number {
  if (answer < 0) throw systemError(path, -answer);
  return answer;
}

/** With the name of the errno as `code`. */
function named<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const errno = errnoOf(error);
    throw errno === undefined ? error : systemError(path, errno);
  }
}

function systemError(path: string, errno: number): Error {
  const text = `${path}: ${getSystemErrorMessage(-errno)}`;
  return Object.assign(new Error(text), { code: getSystemErrorName(-errno) });
}

/** A program that nobody can be told of is ended at once. */
function follow(path: string, pid: number, streams: Streams, onOutput: OnOutput): StartedProgram {
  const outputs = (["stdout", "stderr"] as const).map((name) => new Output(streams[name].reader, name, onOutput));
  const closed = Promise.all(outputs.map(({ ended }) => ended));
  const hangUp = (): void => {
    for (const output of outputs) output.close();
  };
  try {
    for (const output of outputs) output.begin();
    const end = named(path, () => new End(pid));
    return { pid, exit: end.exit, closed, groupExists: () => groupExists(pid), hangUp, unref: () => end.unref() };
  } catch (error) {
    hangUp();
    killGroup(pid);
    strays.add(pid);
    throw error;
  }
}

/** Killed children whose end nobody tells of; they are taken in when another program ends. */
const strays = new Set<number>();

/** From one look to the next at a child that has ended and cannot be taken in yet, in milliseconds. */
const FIRST_RETRY_MS = 10;
const LONGEST_RETRY_MS = 1_000;

/** The end of a child. */
class End {
  readonly exit: Promise<ProgramExit>;
  private readonly watch: Watch;
  private readonly pid: number;
  private ended: (exit: ProgramExit) => void = () => {};
  private isWanted = true;

  constructor(pid: number) {
    this.pid = pid;
    this.exit = new Promise((resolve) => (this.ended = resolve));
    const fd = openPidfd(pid);
    try {
      this.watch = watchReadable(fd, () => {
        this.watch.close();
        closeFd(fd);
        this.takeIn(FIRST_RETRY_MS);
      });
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  unref(): void {
    this.isWanted = false;
    this.watch.unref();
  }

  /** Who is traced (ptrace(2)) has ended, and is its tracer's until that has taken note. */
  private takeIn(retryMs: number): void {
    const exit = exitOf(this.pid);
    if (exit === undefined) {
      const retry = setTimeout(() => this.takeIn(Math.min(2 * retryMs, LONGEST_RETRY_MS)), retryMs);
      if (!this.isWanted) retry.unref();
      return;
    }
    for (const stray of strays) if (exitOf(stray) !== undefined) strays.delete(stray);
    this.ended(exit);
  }
}

/** By waitpid(2): the lowest seven bits are the signal, the next byte the exit status. `undefined`: it has not ended. */
function exitOf(pid: number): ProgramExit | undefined {
  let status: number | undefined;
  try {
    status = reap(pid);
  } catch (error) {
    // ECHILD: a library of this process has waited for all children, so nobody knows how this one ended.
    return { kind: "failed", error: error instanceof Error ? error : new Error(messageOf(error)) };
  }
  if (status === undefined) return undefined;
  const signal = status & 0x7f;
  if (signal === 0) return { kind: "exited", status: (status >> 8) & 0xff };
  const name = Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
  return { kind: "signalled", signal: name ?? `signal ${signal}` };
}

/** One stream of a program, read until its end or until nobody wants it any more. */
class Output {
  readonly ended: Promise<void>;
  private readonly fd: Fd;
  private readonly name: StreamName;
  private readonly onOutput: OnOutput;
  private watch: Watch | undefined;
  private isOpen = true;
  private end: () => void = () => {};

  constructor(fd: Fd, name: StreamName, onOutput: OnOutput) {
    this.fd = fd;
    this.name = name;
    this.onOutput = onOutput;
    this.ended = new Promise((resolve) => (this.end = resolve));
  }

  begin(): void {
    this.watch = watchReadable(this.fd, () => this.read());
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.watch?.close();
    closeFd(this.fd);
    this.end();
  }

  /** What is not read in one go is told again. */
  private read(): void {
    for (let chunks = 0; this.isOpen && chunks < BURST; chunks += 1) {
      const length = readFd(this.fd, buffer);
      if (length === undefined) return;
      if (length === 0) return this.close();
      this.onOutput(this.name, Buffer.from(buffer.subarray(0, length)));
    }
  }
}

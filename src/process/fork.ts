// Starts a program as Node.js does: fork(2), which copies the page tables of this process, then execve(2). That takes longer the more
// memory this process has; but between the two the child can take another user and group.

import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { groupExists } from "./group.ts";
import type { OnOutput, Program, ProgramExit, StartedProgram, StreamName } from "../ports/programs.ts";

/** Whom a program runs as, with no supplementary groups. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/**
 * As `StartProgram`; `ids`: as this user and group, which needs root. Its output goes through socket pairs: writing to descriptors 1
 * and 2 works, opening /dev/stdout or /dev/stderr by name does not.
 */
export function forkProgram({ path, argv, environment }: Program, onOutput: OnOutput, ids?: Ids): StartedProgram {
  const child = spawn(path, argv.slice(1), {
    ...(argv[0] === undefined ? {} : { argv0: argv[0] }),
    cwd: "/",
    detached: true,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
    ...ids,
  });
  listen("stdout", child.stdout, onOutput);
  listen("stderr", child.stderr, onOutput);
  return {
    pid: child.pid ?? 0,
    exit: new Promise<ProgramExit>((resolve) => {
      // A death by a real-time signal is told as exit status 0: Node.js has no name for it.
      child.once("exit", (status, signal) =>
        resolve(signal === null ? { kind: "exited", status: status ?? 0 } : { kind: "signalled", signal }),
      );
      child.on("error", (error) => resolve({ kind: "failed", error }));
    }),
    closed: new Promise<void>((resolve) => child.once("close", () => resolve())),
    groupExists: () => groupExists(child.pid ?? 0),
    hangUp: () => {
      child.stdout.destroy();
      child.stderr.destroy();
    },
    unref: () => child.unref(),
  };
}

function listen(name: StreamName, stream: Readable, onOutput: OnOutput): void {
  stream.on("data", (chunk: Buffer) => onOutput(name, chunk));
  // A stream that breaks has no more output; how the program ended is told by its exit.
  stream.on("error", () => stream.destroy());
}

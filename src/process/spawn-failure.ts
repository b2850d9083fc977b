// Why a program could not be started, in words that say what to do (execve(2), fork(2), setuid(2)).

import { stat } from "node:fs/promises";
import { messageOf } from "../base/errors.ts";
import type { Account } from "./account.ts";

const ANY_EXECUTE = 0o111;

/** The reason for people. `program` has been found to exist. */
export async function spawnFailure(error: unknown, program: string, account: Account): Promise<string> {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const user = account.name === "" ? `uid ${account.uid}` : account.name;
  switch (code) {
    case "EACCES":
      return notExecutable(program, user);
    case "ENOENT":
      return `${program} cannot be run: the interpreter that its first line names does not exist`;
    case "ENOEXEC":
      return `${program} is no program that this machine can run, and no script with a #! line`;
    case "EPERM":
      return `${program} cannot be run as ${user}: vipd does not run as root`;
    case "EAGAIN":
      return `${program} cannot be run now: the limit of processes is reached (ulimit -u, TasksMax=)`;
    case "ENOMEM":
      return `${program} cannot be run now: the host is out of memory`;
    case "EMFILE":
    case "ENFILE":
      return `${program} cannot be run now: the limit of open files is reached (LimitNOFILE=)`;
    case "ETXTBSY":
      return `${program} cannot be run now: somebody is writing to it`;
    case "E2BIG":
      return `${program} cannot be run: its arguments and environment are too long`;
    default:
      return `${program} cannot be run: ${messageOf(error)}`;
  }
}

async function notExecutable(program: string, user: string): Promise<string> {
  try {
    const stats = await stat(program);
    if (stats.isDirectory()) return `${program} is a directory, not a program`;
    if ((stats.mode & ANY_EXECUTE) === 0) return `${program} is not executable: chmod +x ${program}`;
  } catch {
    // It went meanwhile, or a directory is closed to us: the general reason holds.
  }
  return `${user} may not execute ${program}: look at its mode, at the directories above it, and at noexec mounts`;
}

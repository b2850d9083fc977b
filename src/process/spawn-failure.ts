// Why a program could not be started, in words that say what to do (execve(2), fork(2), setuid(2)).

import { messageOf } from "../base/errors.ts";
import type { Account } from "./account.ts";

/** The reason for people. `program` has been found to exist, and to be executable for somebody. */
export function spawnFailure(error: unknown, program: string, account: Account): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const user = account.name === "" ? `uid ${account.uid}` : account.name;
  switch (code) {
    case "EACCES":
      return `${user} may not execute ${program}: look at its mode, at the directories above it, and at noexec mounts`;
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

// A lock that the kernel ties to the living process: it is free the moment its holder is dead, and not before.

import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { messageOf, VipdError } from "../../src/base/errors.ts";
import { tryLock } from "./native.ts";

/** A lock that is held. */
export interface FileLock {
  /** Device, inode and time of birth: tells the file from a copy of it. */
  readonly fileId: string;
  release(): void;
}

/**
 * Takes the exclusive lock (flock) of a file, creating it with mode 0600; "busy" when another living process has it.
 * Throws "state-dir" when the file cannot be opened.
 */
export function lockFile(path: string): FileLock | "busy" {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  // A symbolic link is not followed.
  const fd = openWith(path, O_RDWR | O_CREAT | O_NOFOLLOW, "the lock file");
  const lock = lockOpen(fd);
  if (lock === "busy") return lock;
  const { dev, ino, birthtimeNs } = fstatSync(fd, { bigint: true });
  return { fileId: `${dev}:${ino}:${birthtimeNs}`, ...lock };
}

/**
 * Takes the exclusive lock (flock) of a directory itself, so that nobody needs a file in it that only its maker can open;
 * "busy" when another living process has it. Throws "state-dir" when the directory cannot be opened.
 */
export function lockDirectory(path: string): Pick<FileLock, "release"> | "busy" {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  return lockOpen(openWith(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, "the directory"));
}

/** Locks what is open, and closes it where that fails. Node opens files close-on-exec, so no hook inherits the lock. */
function lockOpen(fd: number): Pick<FileLock, "release"> | "busy" {
  let locked = false;
  try {
    locked = tryLock(fd);
  } finally {
    if (!locked) closeSync(fd);
  }
  if (!locked) return "busy";
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      closeSync(fd);
    },
  };
}

function openWith(path: string, flags: number, what: string): number {
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    const reason = messageOf(error);
    const fix = "free its disk, make it writable for vipd, or set stateDir";
    throw new VipdError("state-dir", `${what} ${path} cannot be opened (${reason}); ${fix}`, { path }, error);
  }
}

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
  const fd = openFile(path);
  let locked = false;
  try {
    locked = tryLock(fd);
  } finally {
    if (!locked) closeSync(fd);
  }
  if (!locked) return "busy";
  let held = true;
  const { dev, ino, birthtimeNs } = fstatSync(fd, { bigint: true });
  return {
    fileId: `${dev}:${ino}:${birthtimeNs}`,
    release: () => {
      if (!held) return;
      held = false;
      closeSync(fd);
    },
  };
}

/**
 * Takes the exclusive lock (flock) of a directory itself, so that nobody needs a file in it that only its maker can open;
 * "busy" when another living process has it. Throws "state-dir" when the directory cannot be opened.
 */
export function lockDirectory(path: string): Pick<FileLock, "release"> | "busy" {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const fd = openWith(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, "the directory");
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
      if (held) closeSync(fd);
      held = false;
    },
  };
}

/** Node opens files close-on-exec, so no hook inherits the lock. A symbolic link is not followed. */
function openFile(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
  return openWith(path, O_RDWR | O_CREAT | O_NOFOLLOW, "the lock file");
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

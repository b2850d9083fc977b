// A lock that the kernel ties to the living process: it is free the moment its holder is dead, and not before.

import { openSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { VipdError } from "../../src/base/errors.ts";
import { closeFd, tryLock } from "./native.ts";

/** A lock that is held. */
export interface FileLock {
  release(): void;
}

/**
 * Takes the exclusive lock (flock) of a file, creating it with mode 0600; "busy" when another living process has it.
 * Throws "kernel" when the file cannot be opened.
 */
export function lockFile(path: string): FileLock | "busy" {
  const fd = openFile(path);
  let locked = false;
  try {
    locked = tryLock(fd);
  } finally {
    if (!locked) closeFd(fd);
  }
  if (!locked) return "busy";
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      closeFd(fd);
    },
  };
}

/** Node opens files close-on-exec, so no hook inherits the lock. */
function openFile(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    const errno = error instanceof Error && "errno" in error && typeof error.errno === "number" ? -error.errno : 0;
    const name = errno === 0 ? "unknown" : getSystemErrorName(-errno);
    throw new VipdError(
      "kernel",
      `the lock file ${path} cannot be opened (${name})`,
      { call: "open", errno, name, path },
      error,
    );
  }
}

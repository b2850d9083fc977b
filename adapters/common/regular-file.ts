// Files that people name: read whole, but only regular files, and never more than a bound. A pipe would wait for ever, and
// a device may have no end.

import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import { VipdError } from "../../src/base/errors.ts";

/** Reads a regular file of at most `maxBytes`. Throws VipdError "config", and what the file system refuses. */
export function readRegularFile(path: string, maxBytes: number): Uint8Array {
  // Without O_NONBLOCK, opening a pipe waits for its writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { size } = checkedStat(fd, path);
    if (size > maxBytes) throw tooLarge(path, maxBytes);
    return readAll(fd, path, maxBytes);
  } finally {
    closeSync(fd);
  }
}

/** Who else may read or write a file. */
export interface Exposure {
  readonly othersRead: boolean;
  readonly othersWrite: boolean;
}

/** Who else may read or write a regular file; the group counts as others for writing only. Throws as `readRegularFile`. */
export function exposureOf(path: string): Exposure {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { mode } = checkedStat(fd, path);
    return { othersRead: (mode & 0o004) !== 0, othersWrite: (mode & 0o022) !== 0 };
  } finally {
    closeSync(fd);
  }
}

/** What keeps a directory from being trusted; `undefined`: nothing, or it is not there yet, or cannot be looked at. */
export function directoryTrouble(path: string): { readonly problem: string; readonly fix: string } | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isDirectory())
    return { problem: "is not a directory (or is a symbolic link)", fix: "give the directory itself" };
  if ((found.mode & 0o022) === 0) return undefined;
  const mode = (found.mode & 0o7777).toString(8);
  return { problem: `may be written to by others (mode ${mode})`, fix: `chmod go-w ${path}` };
}

function checkedStat(fd: number, path: string): { readonly size: number; readonly mode: number } {
  const found = fstatSync(fd);
  if (found.isFile()) return found;
  const kind = found.isDirectory() ? "a directory" : found.isFIFO() ? "a pipe" : "a device or a socket";
  throw new VipdError("config", `${path} is ${kind}: give a regular file`, { path });
}

/** It may grow while it is read. */
function readAll(fd: number, path: string, maxBytes: number): Uint8Array {
  const buffer = Buffer.alloc(maxBytes + 1);
  let length = 0;
  for (;;) {
    const count = readSync(fd, buffer, length, buffer.length - length, null);
    length += count;
    if (length > maxBytes) throw tooLarge(path, maxBytes);
    if (count === 0) return buffer.subarray(0, length);
  }
}

function tooLarge(path: string, maxBytes: number): VipdError {
  return new VipdError("config", `${path} is larger than ${maxBytes} bytes: is it the right file?`, { path });
}

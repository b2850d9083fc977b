// Files of the state directory: small, read whole, and replaced whole, so that a crash leaves the old one or the new one.

import {
  closeSync,
  constants,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";

/** Whose a file is, by numbers. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Reads a file; follows no link. Throws what the file system refuses; what is no file, or longer than that, reads as empty. */
export function readStateFile(path: string, maxBytes: number): string {
  const found = lstatSync(path);
  if (!found.isFile() || found.size > maxBytes) return "";
  return readFileSync(path, { encoding: "utf8", flag: constants.O_RDONLY | constants.O_NOFOLLOW });
}

/**
 * Follows no link, and overwrites nothing: a new file takes the place of the old one. `owner`: whose it becomes, where
 * root writes what another user's daemon is to read.
 */
export function writeStateFile(path: string, text: string, owner?: FileOwner): void {
  const draft = `${path}.new`;
  removeStateFile(draft);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const fd = openSync(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeSync(fd, text);
    if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(draft, path);
}

/** As `writeStateFile` for what may be lost with the power: in the background, and not synced. */
export async function saveStateFile(path: string, text: string): Promise<void> {
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  await writeFile(draft, text, { flag: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600 });
  await rename(draft, path);
}

/** Removes a file; one that is not there is no error. */
export function removeStateFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

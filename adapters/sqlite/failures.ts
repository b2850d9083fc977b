// What SQLite's and the file system's errors mean to the core.

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, VipdError } from "../../src/base/errors.ts";

/** Primary result codes (https://www.sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** SQLite's primary result code of an error; 0 for errors of another origin. */
function resultCode(error: unknown): number {
  const code = error instanceof Error ? (error as Error & { errcode?: unknown }).errcode : undefined;
  return typeof code === "number" ? code & 0xff : 0;
}

/** Whether another process has the lock that was asked for: nothing was done, and it may be asked for again. */
export function isBusy(error: unknown): boolean {
  return resultCode(error) === SQLITE_BUSY;
}

/** An error of a step after which the transaction is surely not applied. */
export function failureOf(error: unknown, path: string): VipdError {
  if (error instanceof VipdError) return error;
  const code = resultCode(error);
  const say = (text: string): string => `${path}: ${text}`;
  const context = { path, sqlite: code };
  if (code === SQLITE_NOTADB || code === SQLITE_CORRUPT) {
    const text = code === SQLITE_NOTADB ? "is no SQLite database" : "the database is damaged";
    return new VipdError(
      "store-corrupt",
      say(`${text}; stop all daemons of the fleet, move the file away, and start them again`),
      context,
      error,
    );
  }
  return new VipdError("store-unavailable", say(wordsFor(code) ?? messageOf(error)), context, error);
}

function wordsFor(code: number): string | undefined {
  if (code === SQLITE_READONLY) return "cannot be written: the file, its directory or its disk is read-only";
  if (code === SQLITE_FULL) return "the disk is full";
  if (code === SQLITE_CANTOPEN) return "cannot be opened: look at the permissions of the file and its directory";
  if (code === SQLITE_BUSY) return "another process keeps the database locked";
  return undefined;
}

/** An error of the file system, in words with the fix. */
export function fileFailure(error: unknown, path: string): VipdError {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  const words: Readonly<Record<string, string>> = {
    ENOENT: isRoomFor(path) ? "does not exist: vipd makes it at its start" : "its directory does not exist: make it",
    ENOTDIR: "a part of the path is no directory",
    EACCES: "permission denied: look at the owner of the file and its directory",
    EROFS: "the disk is read-only",
    EISDIR: "is a directory: name a file in it",
    ENOSPC: "the disk is full",
  };
  return new VipdError(
    "store-unavailable",
    `${path}: ${words[code ?? ""] ?? messageOf(error)}`,
    { path, errno: code, unused: code === "ENOENT" && isRoomFor(path) },
    error,
  );
}

/** Whether the file could be made. */
function isRoomFor(path: string): boolean {
  return existsSync(dirname(path));
}

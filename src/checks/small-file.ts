// Reads a file that should be small and plain. Whatever else may lie there (a FIFO would block, a symbolic link leads
// elsewhere, a huge file fills the memory) is refused with the reason.

import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import { messageOf } from "../base/errors.ts";

/** What was found. */
export type SmallFile =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "absent" }
  | { readonly kind: "refused"; readonly why: string };

/** Reads at most `maxBytes`; never waits for a writer. */
export async function readSmallFile(path: string, maxBytes: number): Promise<SmallFile> {
  // Looked at before it is opened: to open a device may do something.
  const found = await lookForFile(path);
  if (found !== "present") return found;
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = await file.stat();
    const why =
      kindRefused(path, stats) ?? (stats.size > maxBytes ? `${path} is larger than ${maxBytes} bytes` : undefined);
    if (why !== undefined) return { kind: "refused", why };
    const buffer = Buffer.alloc(maxBytes);
    const { bytesRead } = await file.read(buffer, 0, maxBytes, 0);
    return { kind: "text", text: buffer.toString("utf8", 0, bytesRead) };
  } catch (error) {
    return failure(path, error);
  } finally {
    await file?.close();
  }
}

/** Whether a regular file lies there. */
export async function lookForFile(path: string): Promise<"present" | SmallFile> {
  try {
    const why = kindRefused(path, await lstat(path));
    return why === undefined ? "present" : { kind: "refused", why };
  } catch (error) {
    return failure(path, error);
  }
}

function failure(path: string, error: unknown): SmallFile {
  const code = error instanceof Error && "code" in error ? error.code : "";
  if (code === "ENOENT" || code === "ENOTDIR") return { kind: "absent" };
  if (code === "ELOOP") return { kind: "refused", why: `${path} is a symbolic link: name the file itself` };
  // What open(2) says of a socket, or of a device without a driver.
  if (code === "ENXIO" || code === "ENODEV") return { kind: "refused", why: `${path} is no regular file` };
  return { kind: "refused", why: `${path} cannot be read: ${messageOf(error)}` };
}

function kindRefused(path: string, stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isSymbolicLink()) return `${path} is a symbolic link: name the file itself`;
  if (stats.isDirectory()) return `${path} is a directory`;
  if (stats.isFIFO()) return `${path} is a FIFO`;
  return `${path} is no regular file`;
}

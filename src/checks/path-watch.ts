// Tells of changes of one path by inotify, also when neither the file nor its directory is there yet: the nearest directory
// above that exists is watched for the next name on the way.

import { type FSWatcher, watch } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../ports/logger.ts";

/** A directory may come and go while we look; after so many tries the interval must do. */
const MAX_TRIES = 64;

/** Watches one path until it is closed. */
export class PathWatch {
  private readonly path: string;
  private readonly onNews: () => void;
  private readonly log: Logger;
  private watcher: FSWatcher | undefined;
  private hasWarned = false;
  private isClosed = false;

  constructor(path: string, onNews: () => void, log: Logger) {
    this.path = path;
    this.onNews = onNews;
    this.log = log;
    void this.arm(false);
  }

  /** Ends it. */
  close(): void {
    this.isClosed = true;
    this.disarm();
  }

  private disarm(): void {
    this.watcher?.close();
    this.watcher = undefined;
  }

  /**
   * Watches the nearest directory that exists, then looks again: a nearer one may have come meanwhile. What happened before
   * the watch began is for the caller to look at.
   */
  private async arm(isNews: boolean): Promise<void> {
    let isLate = isNews;
    let next = this.path;
    for (let tries = 0; tries < MAX_TRIES && !this.isClosed; tries += 1) {
      const directory = dirname(next);
      if (this.watchDirectory(directory, next)) {
        if (next === this.path || !(await exists(next))) break;
        next = this.path;
        isLate = true;
      } else if (directory === next) break;
      else next = directory;
    }
    if (isLate && !this.isClosed) this.onNews();
  }

  private watchDirectory(directory: string, next: string): boolean {
    const names = new Set([basename(next), basename(directory)]);
    try {
      const watcher = watch(directory, { persistent: false }, (_, name) => {
        if (name === null || names.has(name)) this.heard(watcher, next, name);
      });
      watcher.on("error", (error) => this.warn(error));
      this.disarm();
      this.watcher = watcher;
      return true;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : "";
      if (code !== "ENOENT" && code !== "ENOTDIR") this.warn(error);
      return false;
    }
  }

  private heard(watcher: FSWatcher, next: string, name: string | null): void {
    if (this.isClosed || this.watcher !== watcher) return;
    if (next === this.path && name === basename(this.path)) this.onNews();
    else void this.arm(true);
  }

  private warn(error: unknown): void {
    if (this.hasWarned || this.isClosed) return;
    this.hasWarned = true;
    this.log.warn(
      { path: this.path, error: messageOf(error) },
      `changes of ${this.path} cannot be followed: it is looked at each interval only`,
    );
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    // Whatever the reason: there is nothing nearer that could be watched.
    return false;
  }
}

// Word that the file has changed: at once for our own commits; from inotify for those of others; and, because
// inotify misses some, from a poll of SQLite's counter of other connections' commits.

import { type FSWatcher, watch } from "node:fs";
import { Waiters } from "../common/watch.ts";
import type { Database } from "./database.ts";

/** Between two looks at the counter, in milliseconds: a look costs a microsecond, waking up for it far more. */
const POLL_MS = 50;

/** Tells its waiters that there may be something new. It runs only while somebody waits. */
export class ChangeNotice {
  private readonly waiters = new Waiters();
  private readonly currentDatabase: () => Database | undefined;
  private watcher: FSWatcher | undefined;
  private timer: NodeJS.Timeout | undefined;
  private counter: unknown;

  constructor(currentDatabase: () => Database | undefined) {
    this.currentDatabase = currentDatabase;
  }

  /** Settles at the next word, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) this.listen();
    return this.waiters.next(signal);
  }

  /** There may be something new. */
  tell(): void {
    this.waiters.tell();
  }

  close(): void {
    this.tell();
    this.watcher?.close();
    this.watcher = undefined;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private listen(): void {
    this.timer ??= setInterval(() => this.poll(), POLL_MS);
    this.watcher ??= this.watchLog();
  }

  private poll(): void {
    if (this.waiters.size === 0) return;
    const counter = this.readCounter();
    if (counter === this.counter) return;
    this.counter = counter;
    this.tell();
  }

  /** The database is another one from now on. */
  renew(): void {
    this.watcher?.close();
    this.watcher = undefined;
    this.tell();
  }

  /** A counter that cannot be read, of a file that has lost its name too, is word of a change: whoever then reads learns why. */
  private readCounter(): unknown {
    try {
      const database = this.currentDatabase();
      if (database?.isInPlace() === false) return {};
      return database?.statement("PRAGMA data_version").get()?.["data_version"];
    } catch {
      return {};
    }
  }

  /** Without inotify the poll alone does it. */
  private watchLog(): FSWatcher | undefined {
    const database = this.currentDatabase();
    if (database === undefined) return undefined;
    try {
      const watcher = watch(`${database.path}-wal`, { persistent: false }, () => this.tell());
      watcher.on("error", () => {
        watcher.close();
        this.watcher = undefined;
      });
      return watcher;
    } catch {
      return undefined;
    }
  }
}

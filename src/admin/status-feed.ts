// The daemon's status for everybody who asks and watches: made into text once for a change, however many they are, and
// sent to those who watch a few times a second at most. Who does not read is dropped.

import type { ServerResponse } from "node:http";
import { messageOf } from "../base/errors.ts";
import type { StatusView } from "./views.ts";

/** Between two lines of a watch, in milliseconds. */
const WATCH_EVERY_MS = 100;

/** A status without a change is made anew after so long: it tells ages. In milliseconds. */
const FRESH_MS = 100;

/** Who has not taken a line by then reads no more, in milliseconds. */
const STALL_MS = 5_000;

/** Where the status comes from. */
export interface StatusSource {
  status(): StatusView;
  onChange(listener: () => void): () => void;
}

interface Watcher {
  readonly response: ServerResponse;
  /** The number of the text that it was sent last. */
  sent: number;
  /** Ends the watch unless the reader takes what it was sent; `undefined`: it has. */
  stalled: NodeJS.Timeout | undefined;
}

/** Tells the status to a server's clients. */
export class StatusFeed {
  private readonly source: StatusSource;
  private readonly stallMs: number;
  private readonly watchers = new Set<Watcher>();
  private readonly stop: () => void;
  private text = Buffer.alloc(0);
  private number = 0;
  private madeAt = Number.NEGATIVE_INFINITY;
  private stale = true;
  private toldAt = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;

  /** `stallMs`: who has not taken a line by then is dropped. */
  constructor(source: StatusSource, stallMs = STALL_MS) {
    this.source = source;
    this.stallMs = stallMs;
    this.stop = source.onChange(() => {
      this.stale = true;
      this.tellSoon();
    });
  }

  /** The status as a line of JSON. */
  line(): Buffer {
    const now = performance.now();
    if (this.stale || now - this.madeAt > FRESH_MS) {
      this.text = Buffer.from(`${JSON.stringify(this.source.status())}\n`);
      this.number += 1;
      this.madeAt = now;
      this.stale = false;
    }
    return this.text;
  }

  /** One line now and one after each change. A slow reader misses states in between, never the newest. */
  watch(response: ServerResponse): void {
    const watcher: Watcher = { response, sent: 0, stalled: undefined };
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.once("close", () => {
      clearTimeout(watcher.stalled);
      this.watchers.delete(watcher);
    });
    this.watchers.add(watcher);
    this.send(watcher);
  }

  close(): void {
    this.stop();
    clearTimeout(this.timer);
    this.watchers.clear();
  }

  private tellSoon(): void {
    if (this.watchers.size === 0 || this.timer !== undefined) return;
    const waitMs = Math.max(0, this.toldAt + WATCH_EVERY_MS - performance.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.toldAt = performance.now();
      for (const watcher of this.watchers) this.send(watcher);
    }, waitMs);
  }

  private send(watcher: Watcher): void {
    const { response } = watcher;
    if (watcher.stalled !== undefined || response.destroyed) return;
    const line = this.lineFor(response);
    if (line === undefined || watcher.sent === this.number) return;
    watcher.sent = this.number;
    if (response.write(line)) return;
    watcher.stalled = setTimeout(() => response.destroy(), this.stallMs);
    response.once("drain", () => {
      clearTimeout(watcher.stalled);
      watcher.stalled = undefined;
      if (watcher.sent !== this.number || this.stale) this.tellSoon();
    });
  }

  /** A status that cannot be made ends the watch, and nothing else. */
  private lineFor(response: ServerResponse): Buffer | undefined {
    try {
      return this.line();
    } catch (error) {
      response.destroy(error instanceof Error ? error : new Error(messageOf(error)));
      return undefined;
    }
  }
}

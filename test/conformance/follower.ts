// Collects what a watch tells, so that a test can wait for it with a deadline.

import type { Change, Revision, Store, WatchEvent } from "../../src/ports/store.ts";

const PATIENCE_MS = 5_000;

/** A running watch. */
export class Follower {
  readonly events: WatchEvent[] = [];
  /** Settles when the watch ends by itself or by `stop`. */
  readonly ended: Promise<void>;
  private readonly stopping = new AbortController();
  private onNews: () => void = () => {};

  constructor(store: Store, prefix: string, since: Revision) {
    this.ended = this.follow(store.watch(prefix, since, this.stopping.signal));
    // A failure shows where a test waits for the end.
    this.ended.catch(() => {});
  }

  get changes(): readonly Change[] {
    return this.events.flatMap((event) => (event.kind === "changes" ? event.changes : []));
  }

  get gaps(): readonly string[] {
    return this.events.flatMap((event) => (event.kind === "gap" ? event.reason : []));
  }

  /** Settles as soon as `done` holds; fails after `withinMs`, saying what has been told so far. */
  async until(done: (follower: Follower) => boolean, withinMs = PATIENCE_MS): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!done(this)) {
      const restMs = deadline - performance.now();
      if (restMs <= 0) throw new Error(`the watch told only ${this.events.length} events: ${describe(this.events)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, restMs);
        this.onNews = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Ends the watch, and waits until it has ended. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.ended;
  }

  private async follow(events: AsyncIterable<WatchEvent>): Promise<void> {
    try {
      for await (const event of events) {
        this.events.push(event);
        this.onNews();
      }
    } finally {
      this.onNews();
    }
  }
}

function describe(events: readonly WatchEvent[]): string {
  return events
    .slice(-5)
    .map((event) =>
      event.kind === "gap"
        ? `gap (${event.reason})`
        : event.changes.map(({ key, version }) => `${key}@${version}`).join(" "),
    )
    .join("; ");
}

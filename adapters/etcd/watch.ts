// A watch on one endpoint: a hint, and told to be over whenever it may have missed something.

import type { IKeyValue, IWatchResponse } from "etcd3";
import { MAX_PENDING_CHANGES } from "../../src/base/bounds.ts";
import { messageOf } from "../../src/base/errors.ts";
import type { Change, Revision, WatchEvent } from "../../src/ports/store.ts";
import type { Endpoint } from "./endpoints.ts";
import { rangeOf } from "./requests.ts";
import { inward, outward, type Timeline } from "./timeline.ts";

/** A server that has not confirmed a watch by then is not asked any longer, in milliseconds. */
const CREATE_MS = 5_000;

/** What is watched. */
export interface WatchOptions {
  readonly prefix: string;
  readonly since: Revision;
  readonly timeline: Timeline;
  /** Keys beside the fleets' records. */
  readonly isOwn: (key: string) => boolean;
}

/** Follows the changes of a prefix; ends after a gap, and when the signal aborts. */
export async function* watchEndpoint(
  endpoint: Endpoint,
  options: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const { prefix, since, timeline, isOwn } = options;
  const news = new News();
  const stream = await endpoint.client.watchClient.watch();
  const tooLate = setTimeout(() => news.end("etcd did not confirm the watch"), CREATE_MS);
  const onAbort = (): void => news.end("");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  stream.on("data", (response) => {
    if (response.created) clearTimeout(tooLate);
    news.take(response, timeline, isOwn);
  });
  stream.on("error", (error) => news.end(messageOf(error)));
  stream.on("end", () => news.end("etcd ended the watch"));
  try {
    const from = BigInt(inward(timeline, since)) + 1n;
    stream.write({ create_request: { ...rangeOf(prefix), start_revision: String(from), progress_notify: true } });
    for (;;) {
      const next = await news.next();
      if (signal.aborted) return;
      yield next;
      if (next.kind === "gap") return;
    }
  } finally {
    clearTimeout(tooLate);
    signal.removeEventListener("abort", onAbort);
    // Errors of a stream that is being given up have nobody left to tell.
    stream.on("error", () => {});
    stream.cancel();
  }
}

/** What has come and was not yet taken, bounded. */
class News {
  private readonly changes: Change[] = [];
  private ended: string | undefined;
  private wake: () => void = () => {};

  take(response: IWatchResponse, timeline: Timeline, isOwn: (key: string) => boolean): void {
    if (response.canceled || response.compact_revision !== "0")
      return this.end(`etcd ended the watch: ${response.cancel_reason ?? "its history was compacted"}`);
    for (const { type, kv } of response.events) {
      const change = changeOf(type === "Delete", kv, timeline);
      if (!isOwn(change.key)) this.changes.push(change);
    }
    if (this.changes.length > MAX_PENDING_CHANGES) this.end("too many changes at once");
    this.wake();
  }

  end(reason: string): void {
    this.ended ??= reason;
    this.wake();
  }

  async next(): Promise<WatchEvent> {
    for (;;) {
      if (this.changes.length > 0 && this.changes.length <= MAX_PENDING_CHANGES)
        return { kind: "changes", changes: this.changes.splice(0) };
      if (this.ended !== undefined) return { kind: "gap", reason: this.ended };
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

function changeOf(isDeletion: boolean, kv: IKeyValue, timeline: Timeline): Change {
  const version = outward(timeline, kv.mod_revision);
  return { key: kv.key.toString("utf8"), value: isDeletion ? null : kv.value.toString("utf8"), version };
}

// A watch on one endpoint: a hint, and told to be over whenever it may have missed something.
//
// etcd lets a watch that begins in the past catch up only ten times a second, and meanwhile tells it nothing. So there are two
// on one stream: one from the present, for as long as the one from the past has not told anything yet.

import type { IKeyValue, IWatchResponse } from "etcd3";
import { MAX_PENDING_CHANGES } from "../../src/base/bounds.ts";
import { messageOf } from "../../src/base/errors.ts";
import type { Change, Revision, WatchEvent } from "../../src/ports/store.ts";
import type { Endpoint } from "./endpoints.ts";
import { rangeOf } from "./requests.ts";
import { inward, outward, type EpochRecord } from "./epoch.ts";

/** A server that has not confirmed a watch by then is not asked any longer, in milliseconds. */
const CREATE_MS = 5_000;

/** What is watched. */
export interface WatchOptions {
  readonly prefix: string;
  readonly since: Revision;
  readonly epoch: EpochRecord;
  /** Keys beside the fleets' records. */
  readonly isOwn: (key: string) => boolean;
}

/** Follows the changes of a prefix; ends after a gap, and when the signal aborts. */
export async function* watchEndpoint(
  endpoint: Endpoint,
  options: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const { prefix, since, epoch, isOwn } = options;
  const news = new News();
  const stream = await endpoint.client.watchClient.watch();
  const tooLate = setTimeout(() => news.end("etcd did not confirm the watch"), CREATE_MS);
  const onAbort = (): void => news.end("");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  const lanes = new Lanes(() => stream.write({ cancel_request: { watch_id: lanes.quick } }));
  stream.on("data", (response) => {
    if (response.created && lanes.created(response.watch_id)) clearTimeout(tooLate);
    const fresh = lanes.sift(response);
    if (fresh !== undefined) news.take(fresh, epoch, isOwn);
    if (lanes.isStuck) news.end("etcd does not let a watch catch up");
  });
  stream.on("error", (error) => news.end(messageOf(error)));
  stream.on("end", () => news.end("etcd ended the watch"));
  try {
    const from = BigInt(inward(epoch, since)) + 1n;
    stream.write({ create_request: rangeOf(prefix) });
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

/** The two watches of a stream, by the order in which etcd confirms them, and what the quick one has told already. */
class Lanes {
  quick = "";
  private whole: string | undefined;
  private readonly ahead = new Set<string>();
  private readonly onCaughtUp: () => void;
  private caughtUp = false;

  constructor(onCaughtUp: () => void) {
    this.onCaughtUp = onCaughtUp;
  }

  /** The one from the past tells nothing, while the one from the present tells ever more. */
  get isStuck(): boolean {
    return this.ahead.size > MAX_PENDING_CHANGES;
  }

  /** True when both are confirmed. */
  created(id: string): boolean {
    if (this.quick === "") this.quick = id;
    else this.whole = id;
    return this.whole !== undefined;
  }

  /** What of a response has not been told yet; `undefined`: it is of a watch that is not needed any more. */
  sift(response: IWatchResponse): IWatchResponse | undefined {
    const revisions = response.events.map(({ kv }) => kv.mod_revision);
    if (response.watch_id === this.quick) {
      if (this.caughtUp) return undefined;
      for (const revision of revisions) this.ahead.add(revision);
      return response;
    }
    const events = response.events.filter(({ kv }) => !this.ahead.has(kv.mod_revision));
    for (const revision of revisions) this.ahead.delete(revision);
    if (response.events.length > 0 && !this.caughtUp) {
      this.caughtUp = true;
      this.onCaughtUp();
    }
    return { ...response, events };
  }
}

/** What has come and was not yet taken, bounded. */
class News {
  private readonly changes: Change[] = [];
  private ended: string | undefined;
  private wake: () => void = () => {};

  take(response: IWatchResponse, epoch: EpochRecord, isOwn: (key: string) => boolean): void {
    if (response.canceled || response.compact_revision !== "0")
      return this.end(`etcd ended the watch: ${response.cancel_reason ?? "its history was compacted"}`);
    for (const { type, kv } of response.events) {
      const change = changeOf(type === "Delete", kv, epoch);
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

function changeOf(isDeletion: boolean, kv: IKeyValue, epoch: EpochRecord): Change {
  const version = outward(epoch, kv.mod_revision);
  return { key: kv.key.toString("utf8"), value: isDeletion ? null : kv.value.toString("utf8"), version };
}

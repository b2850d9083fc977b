// A watch on one endpoint, told to be over whenever it may have missed something. A second watch on the same stream is on
// the epoch's record: when that changes, etcd's revisions mean something else.

import type { IKeyValue, IWatchResponse } from "etcd3";
import { MAX_PENDING_CHANGES } from "../../src/base/bounds.ts";
import type { Change, Revision, WatchEvent } from "../../src/ports/store.ts";
import { boundedValue, ReadBudget, TOO_MUCH_AT_ONCE } from "../common/bounds.ts";
import type { Endpoint } from "./endpoints.ts";
import { EPOCH_KEY, inward, outward, type EpochRecord } from "./epoch.ts";
import { rangeOf } from "./requests.ts";
import { plainWords } from "./words.ts";

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
  // etcd confirms watches in the order in which they were asked for: first the one on the epoch.
  const confirmed: string[] = [];
  stream.on("data", (response) => {
    if (response.created && confirmed.push(response.watch_id) === 2) clearTimeout(tooLate);
    const onEpoch = response.watch_id === confirmed[0];
    if (onEpoch && response.events.length > 0) news.end("a new epoch of the store began");
    else news.take(response, epoch, isOwn);
  });
  stream.on("error", (error) => news.end(plainWords(error)));
  stream.on("end", () => news.end("etcd ended the watch"));
  try {
    const start = { start_revision: String(BigInt(inward(epoch, since)) + 1n) };
    stream.write({ create_request: { key: EPOCH_KEY, ...start } });
    stream.write({ create_request: { ...rangeOf(prefix), ...start } });
    for (;;) {
      const next = await news.next();
      if (signal.aborted) return;
      yield next;
      if (next.kind === "gap") return;
    }
  } finally {
    clearTimeout(tooLate);
    signal.removeEventListener("abort", onAbort);
    // Errors of a stream that is being given up have nobody left to tell. Once it has ended, etcd3 does not take its
    // cancellation for a failure of the host, for which it would close the connections of all other calls.
    stream.on("error", () => {});
    stream.end();
    stream.cancel();
  }
}

/** What has come and was not yet taken, bounded. */
class News {
  private changes: Change[] = [];
  private budget = new ReadBudget();
  private ended: string | undefined;
  private wake: () => void = () => {};

  take(response: IWatchResponse, epoch: EpochRecord, isOwn: (key: string) => boolean): void {
    if (response.canceled || response.compact_revision !== "0")
      return this.end(`etcd ended the watch: ${response.cancel_reason ?? "its history was compacted"}`);
    for (const { type, kv } of response.events) {
      const change = changeOf(type === "Delete", kv, epoch);
      if (isOwn(change.key)) continue;
      this.changes.push(change);
      if (!this.budget.take(kv.key.length + (change.value?.length ?? 0)) || this.changes.length > MAX_PENDING_CHANGES) {
        this.changes = [];
        return this.end(TOO_MUCH_AT_ONCE);
      }
    }
    this.wake();
  }

  end(reason: string): void {
    this.ended ??= reason;
    this.wake();
  }

  async next(): Promise<WatchEvent> {
    for (;;) {
      if (this.changes.length > 0) {
        const { changes } = this;
        this.changes = [];
        this.budget = new ReadBudget();
        return { kind: "changes", changes };
      }
      if (this.ended !== undefined) return { kind: "gap", reason: this.ended };
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

function changeOf(isDeletion: boolean, { key, value, mod_revision: revision }: IKeyValue, epoch: EpochRecord): Change {
  const text = isDeletion ? null : boundedValue(value.length, () => value.toString("utf8"));
  return { key: key.toString("utf8"), value: text, version: outward(epoch, revision) };
}

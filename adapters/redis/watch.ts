// A watch: commits as Redis publishes them, each insisting on the one before it. Where one is missing, it is over.

import type { Redis } from "ioredis";
import * as z from "zod";
import {
  MAX_KEY_BYTES,
  MAX_PENDING_CHANGES,
  MAX_READ_BYTES,
  MAX_TXN_WRITES,
  MAX_VALUE_BYTES,
} from "../../src/base/bounds.ts";
import { parseJson } from "../../src/base/json.ts";
import type { Change, Revision, WatchEvent } from "../../src/ports/store.ts";
import { boundedValue, TOO_MUCH_AT_ONCE } from "../common/bounds.ts";
import { CHANNEL } from "./scripts.ts";
import { plainWords } from "./words.ts";

const entrySchema = z.object({
  revision: z.string().regex(/^\d{1,16}$/u),
  epoch: z.string(),
  changes: z.array(z.tuple([z.string(), z.string().nullable()])),
});

/** One commit, as the log has it and as it is published. */
export interface Entry {
  readonly revision: Revision;
  readonly epoch: string;
  readonly changes: readonly Change[];
}

/** The longest entry that vipd writes: JSON may need six characters for one. What is longer is not read. */
const MAX_ENTRY_LENGTH = 256 + MAX_TXN_WRITES * (16 + 6 * (MAX_KEY_BYTES + MAX_VALUE_BYTES));

/** Reads an entry; `undefined` when it is none. */
export function parseEntry(text: string): Entry | undefined {
  if (text.length > MAX_ENTRY_LENGTH) return undefined;
  const { success, data } = entrySchema.safeParse(parseJson(text));
  if (!success) return undefined;
  const version = BigInt(data.revision);
  const changes = data.changes.map(([key, value]) => ({
    key,
    value: value === null ? null : boundedValue(Buffer.byteLength(value), () => value),
    version,
  }));
  return { revision: version, epoch: data.epoch, changes };
}

/** The commits after a revision, oldest first, and their epoch. */
export interface Past {
  readonly entries: readonly Entry[];
  readonly epoch: string;
}

/** What a watch needs besides its own connection. */
export interface WatchDeps {
  /** Only listens; the watch ends it. */
  readonly subscriber: Redis;
  /** `undefined` when not all commits after that revision are known any more. */
  readonly catchUp: (since: Revision) => Promise<Past | undefined>;
}

/** Follows a prefix; ends after a gap, and when the signal aborts. */
export async function* watchChanges(
  prefix: string,
  since: Revision,
  deps: WatchDeps,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const { subscriber, catchUp } = deps;
  const inbox = new Inbox();
  const onAbort = (): void => inbox.end("");
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  subscriber.on("message", (_channel, text) => inbox.take(text));
  subscriber.on("close", () => inbox.end("the connection to Redis broke"));
  subscriber.on("error", (error: Error) => inbox.end(plainWords(error)));
  try {
    await subscribed(subscriber, inbox);
    const past = inbox.isOver ? undefined : await catchUp(since);
    if (past === undefined) inbox.end("Redis no longer knows all commits since then");
    let last = since;
    for (const entry of past?.entries ?? []) {
      last = entry.revision;
      yield* told(entry, prefix);
    }
    for (let entry = await inbox.next(); entry !== undefined; entry = await inbox.next()) {
      if (entry.revision <= last) continue;
      if (entry.revision !== last + 1n || entry.epoch !== past?.epoch) inbox.end("a commit was not told");
      else {
        last = entry.revision;
        yield* told(entry, prefix);
      }
    }
    if (!signal.aborted) yield { kind: "gap", reason: inbox.reason };
  } finally {
    signal.removeEventListener("abort", onAbort);
    subscriber.disconnect();
  }
}

function* told({ changes }: Entry, prefix: string): Generator<WatchEvent> {
  const ours = changes.filter(({ key }) => key.startsWith(prefix));
  if (ours.length > 0) yield { kind: "changes", changes: ours };
}

/** Settles when the subscription stands, or the inbox is over. */
async function subscribed(subscriber: Redis, inbox: Inbox): Promise<void> {
  if (subscriber.status !== "ready")
    await Promise.race([new Promise<void>((resolve) => subscriber.once("ready", () => resolve())), inbox.over]);
  if (!inbox.isOver) await Promise.race([subscriber.subscribe(CHANNEL), inbox.over]);
}

/** What was published and not yet taken, bounded. */
class Inbox {
  readonly over: Promise<void>;
  reason = "";
  isOver = false;
  private readonly waiting: { readonly entry: Entry; readonly length: number }[] = [];
  private length = 0;
  private wake: () => void = () => {};
  private finish: () => void = () => {};

  constructor() {
    this.over = new Promise((resolve) => (this.finish = resolve));
  }

  take(text: string): void {
    const entry = parseEntry(text);
    if (entry === undefined) this.end("something else was published among the commits");
    else {
      this.length += text.length;
      const count = this.waiting.push({ entry, length: text.length });
      if (count > MAX_PENDING_CHANGES || this.length > MAX_READ_BYTES) this.end(TOO_MUCH_AT_ONCE);
    }
    this.wake();
  }

  end(reason: string): void {
    if (!this.isOver) this.reason = reason;
    this.isOver = true;
    this.finish();
    this.wake();
  }

  /** The next commit; `undefined` when it is over. */
  async next(): Promise<Entry | undefined> {
    for (;;) {
      if (this.isOver) return undefined;
      const next = this.waiting.shift();
      if (next !== undefined) {
        this.length -= next.length;
        return next.entry;
      }
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

// Heartbeats are writes, and etcd keeps every revision until somebody compacts. Where nobody does, one client of the fleets
// compacts what is older than the retention, as kube-apiserver does: the revision of one round ago stands in a record, and
// only who moves that record on by compare-and-swap compacts up to it.

import { messageOf } from "../../src/base/errors.ts";
import type { Endpoints } from "./endpoints.ts";
import { absent, atRevision } from "./requests.ts";
import { plainWords } from "./words.ts";

/** Where the round stands, beside the fleets. */
export const COMPACTION_KEY = Buffer.from("/vipd-compaction");

const CALL_MS = 5_000;

/** Compacts regularly until it is stopped. */
export class Compaction {
  private readonly endpoints: Endpoints;
  private readonly timer: NodeJS.Timeout;
  private readonly ending = new AbortController();
  /** What went wrong in the last round; `null`: nothing. */
  trouble: string | null = null;

  constructor(endpoints: Endpoints, retentionMs: number) {
    this.endpoints = endpoints;
    this.timer = setInterval(() => void this.round(), retentionMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.ending.abort();
  }

  private async round(): Promise<void> {
    try {
      await this.endpoints.call(
        { timeoutMs: CALL_MS, signal: this.ending.signal },
        () => false,
        async (endpoint, options) => {
          const { kv } = endpoint.client;
          const { kvs, header } = await kv.range({ key: COMPACTION_KEY }, options);
          const last = kvs[0];
          const compare =
            last === undefined ? [absent(COMPACTION_KEY)] : [atRevision(COMPACTION_KEY, last.mod_revision)];
          const put = { request_put: { key: COMPACTION_KEY, value: Buffer.from(header.revision) } };
          const { succeeded } = await kv.txn({ compare, success: [put], failure: [] }, options);
          const upTo = last?.value.toString("utf8") ?? "";
          if (!succeeded || !/^\d{1,19}$/u.test(upTo)) return;
          await kv.compact({ revision: upTo }, options).catch(alreadyDone);
        },
      );
      this.trouble = null;
    } catch (error) {
      if (!this.ending.signal.aborted) this.trouble = `its history could not be compacted: ${plainWords(error)}`;
    }
  }
}

/** Somebody else compacts: all the better. */
function alreadyDone(error: unknown): void {
  if (!/required revision has been compacted/iu.test(messageOf(error))) throw error;
}

// A node that is gone for good leaves its session and its candidacies behind: what must be removed of it, and after which
// wait. Ending a session is what candidates do too who break a silent holder's: it takes a full lease without a heartbeat,
// seen on the own clock, and insists on the version that was watched.

import { MAX_TTL_MS, MAX_TXN_WRITES } from "../base/bounds.ts";
import type { Revision, Txn, Write } from "../ports/store.ts";
import type { Keys } from "./keys.ts";
import { observerWaitMs } from "./lease.ts";
import type { Mirror } from "./mirror.ts";
import { type ChangedRecord, encodeValue } from "./records.ts";

/** What the store has of a node. */
export interface Remains {
  /** The version of its session; `null`: it has none. */
  readonly session: Revision | null;
  /** Elections that it is a candidate for. */
  readonly elections: readonly string[];
  /** For so long no heartbeat must be seen, in milliseconds. */
  readonly waitMs: number;
}

/** What the store has of a node; `undefined`: nothing. */
export function remainsOf(mirror: Mirror, node: string): Remains | undefined {
  const session = mirror.sessions.get(node);
  const elections = [...mirror.candidates].flatMap(([election, nodes]) => {
    const candidate = nodes.get(node);
    return candidate === undefined || candidate.value === null ? [] : [election];
  });
  const version = session === undefined || session.value === null ? null : session.version;
  if (version === null && elections.length === 0) return undefined;
  const waitMs = version === null ? 0 : observerWaitMs(session?.value?.ttlMs ?? MAX_TTL_MS);
  return { session: version, elections, waitMs };
}

/** What removes it, in order: each commit insists on the node having come back neither before nor meanwhile. */
export function forgetting(keys: Keys, node: string, { session, elections }: Remains): readonly Txn[] {
  const key = keys.session(node);
  const candidacies = elections.map((election): Write => ({ key: keys.candidate(election, node), value: null }));
  const changed: Write = { key: keys.changed, value: encodeValue<ChangedRecord>({}) };
  const size = MAX_TXN_WRITES - 2;
  const txns: Txn[] = [];
  for (let from = 0; from === 0 || from < candidacies.length; from += size) {
    const ends: readonly Write[] = from === 0 && session !== null ? [{ key, value: null }] : [];
    const version = from === 0 ? session : null;
    txns.push({ guards: [{ key, version }], writes: [...ends, ...candidacies.slice(from, from + size), changed] });
  }
  return txns;
}

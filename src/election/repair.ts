// What to do about an election whose record in the store cannot be read: nobody touches it, so nobody holds it.
//
// A reset must not give it to a second host. Whoever held it last may be cut off, and believe in it still. The history
// says who that was, for it is written in the same commit as the record. If that node's session stands, the election is
// given back to it: then the lease protects it as before, and who wants it must break that session first. If nobody held
// it, or the session has ended, it is free, but only after the longest lease of the fleet. The token is the version of
// the new record, and so greater than all before.

import { MAX_TTL_MS, MAX_VALUE_BYTES } from "../base/bounds.ts";
import { parseJson } from "../base/json.ts";
import { reason } from "../base/reasons.ts";
import { clip } from "../base/text.ts";
import type { Revision, StoredRecord, Txn } from "../ports/store.ts";
import type { Keys } from "./keys.ts";
import type { Mirror } from "./mirror.ts";
import {
  type ChangedRecord,
  type ElectionRecord,
  encodeValue,
  FORMAT,
  type HistoryRecord,
  nextSeq,
  parseHistory,
  parseValue,
} from "./records.ts";

/** What a repair looks at. */
export interface RepairInput {
  readonly election: string;
  readonly keys: Keys;
  /** Of all live records. */
  readonly mirror: Mirror;
  /** The election's own record as it stands; `undefined`: there is none. */
  readonly record: StoredRecord | undefined;
  /** The election's history. */
  readonly history: readonly StoredRecord[];
  readonly wallMs: number;
  /** Whether it is reset although nobody can tell who held it last. */
  readonly force: boolean;
}

/** What was found, and what resets it. */
export type Repair =
  | { readonly kind: "sound" | "refused"; readonly lines: readonly string[] }
  | { readonly kind: "broken"; readonly lines: readonly string[]; readonly txn: Txn };

/** So much of a record that cannot be read is shown, in UTF-16 code units. */
const MAX_SHOWN = 200;

/** What an election's record needs. */
export function repairOf(input: RepairInput): Repair {
  const { election, record } = input;
  if (record === undefined) return sound(`${election} has no record: nobody has held it yet`);
  const readable = parseValue("election", record.value);
  if (readable !== undefined)
    return sound(
      `the record of ${election} can be read: ${readable.holder ?? "nobody"} holds it, token ${record.version}`,
    );
  const format = formatOf(record.value);
  if (typeof format === "number" && format > FORMAT)
    return refused([`the record of ${election} was written by a newer vipd (format ${format}): upgrade this one`]);
  const { last, unreadable } = lastChange(input.history);
  const shown = [
    `the record of ${election} cannot be read (token ${record.version}): ${clip(record.value, MAX_SHOWN)}`,
    last === undefined
      ? "its history has no ownership change that can be read"
      : `the last ownership change that can be read: from ${last.change.from ?? "nobody"} to ${last.change.to ?? "nobody"}, token ${last.version}`,
  ];
  const former = formerHolder(input, unreadable ? undefined : last);
  if (former.kind === "unknown" && !input.force)
    return refused([
      ...shown,
      `who held it last cannot be told: ${former.why}; make sure that no host answers for it (vipctl who-owns ${election} --verify), then use --force`,
    ]);
  return former.kind === "alive"
    ? giveBack(input, record.version, last, shown, former)
    : setFree(input, record.version, last, shown);
}

interface LastChange {
  readonly change: HistoryRecord;
  readonly version: Revision;
}

/** The newest change; and whether there are others that cannot be read. */
function lastChange(history: readonly StoredRecord[]): {
  readonly last: LastChange | undefined;
  readonly unreadable: boolean;
} {
  let last: LastChange | undefined;
  let unreadable = false;
  for (const { key, value, version } of history) {
    if (key.endsWith("-loss")) continue;
    const change = parseHistory(value);
    if (change === undefined) unreadable = true;
    else if (last === undefined || version > last.version) last = { change, version };
  }
  return { last, unreadable };
}

type Former =
  | { readonly kind: "alive"; readonly node: string; readonly incarnation: string }
  /** Nobody held it, or the session of who did has ended. */
  | { readonly kind: "none" }
  | { readonly kind: "unknown"; readonly why: string };

function formerHolder({ mirror }: RepairInput, last: LastChange | undefined): Former {
  if (last === undefined) return { kind: "unknown", why: "its history is missing or cannot be read" };
  const { to: node } = last.change;
  if (node === null) return { kind: "none" };
  const session = mirror.sessions.get(node);
  if (session === undefined && mirror.overflow.has("nodes"))
    return { kind: "unknown", why: "the store has more sessions than vipctl tracks" };
  if (session === undefined || session.value === null) return { kind: "none" };
  if (session.value === undefined) return { kind: "unknown", why: `the session of ${node} cannot be read` };
  return { kind: "alive", node, incarnation: session.value.incarnation };
}

function giveBack(
  input: RepairInput,
  version: Revision,
  last: LastChange | undefined,
  shown: readonly string[],
  { node, incarnation }: Extract<Former, { kind: "alive" }>,
): Repair {
  const told = `reset: ${node} held it last and has a session, so it gets it back under a new token; if ${node} is dead, others take it after its lease`;
  return { kind: "broken", lines: [...shown, told], txn: resetTo(input, version, last, { node, incarnation }, 0) };
}

function setFree(
  input: RepairInput,
  version: Revision,
  last: LastChange | undefined,
  shown: readonly string[],
): Repair {
  const waitMs = longestLeaseMs(input.mirror);
  const told = `reset: it is free, and nobody takes it before the fleet's longest lease has passed (${waitMs / 1_000} s)`;
  return { kind: "broken", lines: [...shown, told], txn: resetTo(input, version, last, null, waitMs) };
}

/** A session that cannot be read may be the longest. */
function longestLeaseMs({ sessions }: Mirror): number {
  let longest = 3_000;
  for (const { value } of sessions.values()) {
    if (value === undefined) return MAX_TTL_MS;
    if (value !== null && value.ttlMs > longest) longest = value.ttlMs;
  }
  return longest;
}

function resetTo(
  { election, keys, wallMs }: RepairInput,
  version: Revision,
  last: LastChange | undefined,
  to: { readonly node: string; readonly incarnation: string } | null,
  waitMs: number,
): Txn {
  const seq = nextSeq(last?.change.seq ?? 0);
  const why = reason("repaired");
  const record = encodeValue<ElectionRecord>({
    holder: to?.node ?? null,
    incarnation: to?.incarnation ?? null,
    seq,
    sinceWallMs: wallMs,
    reason: why,
    vacantMs: null,
    previousToken: String(version),
    waitMs,
  });
  const history = encodeValue<HistoryRecord>({
    seq,
    wallMs,
    from: last?.change.to ?? null,
    to: to?.node ?? null,
    reason: why,
    lastedMs: last === undefined ? null : Math.max(0, wallMs - last.change.wallMs),
    vacantMs: null,
  });
  return {
    guards: [{ key: keys.election(election), version }],
    writes: [
      { key: keys.election(election), value: record },
      { key: keys.history(election, seq), value: history },
      { key: keys.changed, value: encodeValue<ChangedRecord>({}) },
    ],
  };
}

function sound(line: string): Repair {
  return { kind: "sound", lines: [`${line}; nothing is to be repaired`] };
}

function refused(lines: readonly string[]): Repair {
  return { kind: "refused", lines };
}

/** The version of the format that a record says it is of; `undefined` when it says none. */
function formatOf(text: string): unknown {
  const value = text.length > MAX_VALUE_BYTES ? undefined : parseJson(text);
  return typeof value === "object" && value !== null && "format" in value ? value.format : undefined;
}

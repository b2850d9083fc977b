// What a fleet keeps in its store: the records, with the schemas that they must pass. The store, and everybody who can
// write to it, is hostile until a record is parsed. Where each record stands is in keys.ts.

import * as z from "zod";
import { MAX_ADDRESSES_PER_VIP, MAX_TTL_MS, MAX_VALUE_BYTES } from "../base/bounds.ts";
import { parseJson } from "../base/json.ts";
import { isName } from "../base/names.ts";
import { MAX_REASON_LENGTH } from "../base/reasons.ts";
import { isVirtualRouterMac } from "../base/virtual-mac.ts";
import type { RecordKey } from "./keys.ts";

/** A version of the record format; a reader refuses what it does not know. */
export const FORMAT = 2;

const name = z.string().refine(isName);
const unique = z.string().min(1).max(64);
const words = z.string().max(512);
const wallMs = z.number();
const count = z.number().int().nonnegative();
const reason = z.object({ code: z.string().max(64), text: z.string().max(MAX_REASON_LENGTH) });

const sessionSchema = z.object({
  format: z.literal(FORMAT),
  /** Names the node's claim; survives a restart of the daemon within the lease. */
  incarnation: unique,
  /** Names the process: with `heartbeat` it tells which attempt wrote this record. */
  processId: unique,
  heartbeat: count,
  /** The lease: an observer that sees no new version for so long, on its own clock, may break it. In milliseconds. */
  ttlMs: z.number().positive().max(MAX_TTL_MS),
  /** When it was written by the writer's wall clock: for people only. */
  wallMs,
  /** Which host wrote it: for people only. */
  host: words,
});

const electionSchema = z.object({
  format: z.literal(FORMAT),
  /** `null`: free. */
  holder: name.nullable(),
  incarnation: unique.nullable(),
  /** Counts the ownership changes. */
  seq: count,
  sinceWallMs: wallMs,
  /** Why it is held, or free, since then. */
  reason,
  /** How long nobody had held it until then, as the writer could see it; `null`: not known. In milliseconds. */
  vacantMs: z.number().nullable().default(null),
  /** The record's own version is the token; this is the one before. Decimal; `null`: there was none. */
  previousToken: z
    .string()
    .regex(/^\d{1,40}$/u)
    .nullable(),
  /** A free election is not taken for so long from its first sight: a holder that cannot be seen may be left. In milliseconds. */
  waitMs: z.number().nonnegative().max(MAX_TTL_MS),
});

const candidateSchema = z.object({
  format: z.literal(FORMAT),
  incarnation: unique,
  priority: z.number().int().min(0).max(255),
  eligible: z.boolean(),
  /** Why it is not eligible; empty when it is. */
  reason: words,
  /** Whether the node may hold it even so while no eligible candidate is alive; earlier versions wrote nothing. */
  lastResort: z.boolean().default(false),
  /** Whether its host answers for an address of the election whoever holds it: it had it before, as its own. */
  answers: z.boolean().default(false),
  preempt: z.boolean(),
  preemptDelayMs: z.number().nonnegative(),
  /** The group that the election is shared out with. */
  spread: name.nullable().default(null),
  /**
   * What the node would bind, and what it still has of a former configuration, in CIDR form: so that vipctl finds a VIP by
   * its address, and collisions are seen.
   */
  addresses: z.array(z.string().max(64)).max(2 * MAX_ADDRESSES_PER_VIP),
  /** The virtual MACs that these are answered with, and those that it still has: no more of them than addresses. */
  macs: z
    .array(z.string().refine(isVirtualRouterMac))
    .max(2 * MAX_ADDRESSES_PER_VIP)
    .default([]),
  interface: z.string().max(64).nullable(),
});

const addressSchema = z.object({
  format: z.literal(FORMAT),
  /** The only election whose holder may answer for the address, or send with the virtual MAC. */
  election: name,
});

const historySchema = z.object({
  format: z.literal(FORMAT),
  seq: count,
  wallMs,
  from: name.nullable(),
  to: name.nullable(),
  reason,
  /** How long it had been held, or free, until then, by wall clocks; `null`: not known. In milliseconds. */
  lastedMs: z.number().nullable(),
  /** How long nobody held it until then, as the writer could see it; `null`: not known. In milliseconds. */
  vacantMs: z.number().nullable(),
});

const lossSchema = z.object({
  format: z.literal(FORMAT),
  /** Who held it, under the ownership change of this number. */
  node: name,
  seq: count,
  wallMs,
  reason,
  /** How long nobody held it until the same node did again, under the same token; `null`: it did not. In milliseconds. */
  heldAgainAfterMs: z.number().nonnegative().nullable().default(null),
  /** How often that has been since this ownership change, and for how long in all, in milliseconds. */
  interruptions: count.default(0),
  interruptedMs: z.number().nonnegative().default(0),
});

const epochSchema = z.object({ format: z.literal(FORMAT), epoch: z.string().max(256) });
const changedSchema = z.object({ format: z.literal(FORMAT) });

export type SessionRecord = z.infer<typeof sessionSchema>;
export type ElectionRecord = z.infer<typeof electionSchema>;
export type CandidateRecord = z.infer<typeof candidateSchema>;
export type AddressRecord = z.infer<typeof addressSchema>;
export type HistoryRecord = z.infer<typeof historySchema>;
export type LossRecord = z.infer<typeof lossSchema>;
export type EpochRecord = z.infer<typeof epochSchema>;
export type ChangedRecord = z.infer<typeof changedSchema>;

/** The records of nodes and elections, by the kind of their key. */
export interface LiveRecords {
  readonly session: SessionRecord;
  readonly election: ElectionRecord;
  readonly candidate: CandidateRecord;
  readonly address: AddressRecord;
  readonly epoch: EpochRecord;
  readonly changed: ChangedRecord;
}

const schemas: { readonly [K in keyof LiveRecords]: z.ZodType<LiveRecords[K]> } = {
  session: sessionSchema,
  election: electionSchema,
  candidate: candidateSchema,
  address: addressSchema,
  epoch: epochSchema,
  changed: changedSchema,
};

/** Reads a record's value; `undefined` when it is too long, not JSON, not of the schema, or of another format. */
export function parseValue<K extends RecordKey["kind"]>(kind: K, text: string): LiveRecords[K] | undefined {
  if (text.length > MAX_VALUE_BYTES) return undefined;
  const result = schemas[kind].safeParse(parseJson(text));
  return result.success ? result.data : undefined;
}

type AnyRecord = LiveRecords[keyof LiveRecords] | HistoryRecord | LossRecord;

/** Writes a record's value, with the format's number. */
export function encodeValue<T extends AnyRecord>(value: Omit<T, "format">): string {
  return JSON.stringify({ format: FORMAT, ...value });
}

/** Reads an ownership change of an election's history; `undefined` when it does not parse. */
export function parseHistory(text: string): HistoryRecord | undefined {
  if (text.length > MAX_VALUE_BYTES) return undefined;
  const result = historySchema.safeParse(parseJson(text));
  return result.success ? result.data : undefined;
}

/** Reads a former holder's report of its loss; `undefined` when it does not parse. */
export function parseLoss(text: string): LossRecord | undefined {
  if (text.length > MAX_VALUE_BYTES) return undefined;
  const result = lossSchema.safeParse(parseJson(text));
  return result.success ? result.data : undefined;
}

/** The number of the next ownership change. A number that somebody else wrote may be the last that JSON carries: then counting begins anew. */
export function nextSeq(seq: number): number {
  return seq >= Number.MAX_SAFE_INTEGER ? 1 : seq + 1;
}

// What the tests of elections write and bring: one valid value of each kind, of which a test changes what it is about.

import type { Candidacy } from "../../../src/base/candidacy.ts";
import { reason } from "../../../src/base/reasons.ts";
import { Keys } from "../../../src/election/keys.ts";
import {
  type AddressRecord,
  type CandidateRecord,
  type ElectionRecord,
  encodeValue,
  type SessionRecord,
} from "../../../src/election/records.ts";

export const TTL_MS = 3_000;
export const FLEET = "f";
export const ELECTION = "web";
export const KEYS = new Keys(FLEET);
/** The store's key of `ELECTION`. */
export const ELECTION_KEY = KEYS.election(ELECTION);

/** What a node brings to an election. */
export function candidacy(changes: Partial<Candidacy> = {}): Candidacy {
  return {
    priority: 100,
    ineligible: null,
    lastResort: false,
    preempt: true,
    preemptDelayMs: 0,
    minHoldMs: 0,
    spread: null,
    addresses: [],
    macs: [],
    interface: null,
    ...changes,
  };
}

/** A candidacy of a node that could not hold. */
export function ineligible(detail = "http", changes: Partial<Candidacy> = {}): Candidacy {
  return candidacy({ ineligible: reason("check-failed", detail), ...changes });
}

export type Fields<T> = Omit<T, "format">;

export function sessionFields(changes: Partial<SessionRecord> = {}): Fields<SessionRecord> {
  return {
    incarnation: "i",
    processId: "p",
    heartbeat: 1,
    ttlMs: TTL_MS,
    wallMs: 1,
    host: "h",
    ...changes,
  };
}

export function sessionValue(changes: Partial<SessionRecord> = {}): string {
  return encodeValue<SessionRecord>(sessionFields(changes));
}

export function electionFields(changes: Partial<ElectionRecord> = {}): Fields<ElectionRecord> {
  return {
    holder: null,
    incarnation: null,
    seq: 9,
    sinceWallMs: 1,
    reason: reason("repaired"),
    vacantMs: null,
    previousToken: null,
    waitMs: 0,
    ...changes,
  };
}

/** An election's record; free unless a test says otherwise. */
export function electionValue(changes: Partial<ElectionRecord> = {}): string {
  return encodeValue<ElectionRecord>(electionFields(changes));
}

export function candidateFields(changes: Partial<CandidateRecord> = {}): Fields<CandidateRecord> {
  return {
    incarnation: "i",
    priority: 100,
    eligible: true,
    reason: "",
    lastResort: false,
    answers: false,
    spread: null,
    preempt: true,
    preemptDelayMs: 0,
    addresses: [],
    macs: [],
    interface: null,
    ...changes,
  };
}

export function candidateValue(changes: Partial<CandidateRecord> = {}): string {
  return encodeValue<CandidateRecord>(candidateFields(changes));
}

export function addressValue(election: string): string {
  return encodeValue<AddressRecord>({ election });
}

// What a fleet keeps in its store: key layout, and the records with the schemas that they must pass.
// The store, and everybody who can write to it, is hostile until a record is parsed.
//
//   /vipd/<fleet>/live/fleet                       the epoch that the fleet has settled on
//   /vipd/<fleet>/live/sessions/<node>             a node's lease: renewed by compare-and-swap
//   /vipd/<fleet>/live/elections/<name>            who holds; its version is the fencing token
//   /vipd/<fleet>/live/candidates/<name>/<node>    who wants, and how much
//   /vipd/<fleet>/history/<name>/<slot>            the last ownership changes, in a ring
//
// Nodes read and watch what is live; history is read when somebody asks for it.

import { z } from "zod";
import { HISTORY_LENGTH, MAX_ADDRESSES_PER_VIP, MAX_TTL_MS } from "../base/bounds.ts";
import { isName } from "../base/names.ts";

/** A version of the record format; a reader refuses what it does not know. */
export const FORMAT = 1;

const name = z.string().refine(isName);
const unique = z.string().min(1).max(64);
const words = z.string().max(512);
const wallMs = z.number();

const sessionSchema = z.object({
  format: z.literal(FORMAT),
  /** One life of the node's claim; survives a restart of the daemon within the lease. */
  incarnation: unique,
  /** One life of the process: with `heartbeat` it names the attempt that wrote this record. */
  processId: unique,
  heartbeat: z.number().int().nonnegative(),
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
  seq: z.number().int().nonnegative(),
  sinceWallMs: wallMs,
  reason: words,
});

const candidateSchema = z.object({
  format: z.literal(FORMAT),
  incarnation: unique,
  priority: z.number().int().min(0).max(255),
  eligible: z.boolean(),
  reason: words,
  preempt: z.boolean(),
  preemptDelayMs: z.number().nonnegative(),
  /** What the node would bind, in CIDR form: so that vipctl finds a VIP by its address, and differences show. */
  addresses: z.array(z.string().max(64)).max(MAX_ADDRESSES_PER_VIP),
  interface: z.string().max(64).nullable(),
});

const historySchema = z.object({
  format: z.literal(FORMAT),
  seq: z.number().int().nonnegative(),
  wallMs,
  from: name.nullable(),
  to: name.nullable(),
  reason: words,
});

const fleetSchema = z.object({ format: z.literal(FORMAT), epoch: z.string().max(256) });

export type SessionRecord = z.infer<typeof sessionSchema>;
export type ElectionRecord = z.infer<typeof electionSchema>;
export type CandidateRecord = z.infer<typeof candidateSchema>;
export type HistoryRecord = z.infer<typeof historySchema>;
export type FleetRecord = z.infer<typeof fleetSchema>;

/** A record with its place. */
export type Parsed =
  | { readonly kind: "session"; readonly node: string; readonly value: SessionRecord }
  | { readonly kind: "election"; readonly election: string; readonly value: ElectionRecord }
  | { readonly kind: "candidate"; readonly election: string; readonly node: string; readonly value: CandidateRecord }
  | { readonly kind: "fleet"; readonly value: FleetRecord };

/** Where a key points, without its value. */
export type Place = Parsed extends infer P ? (P extends { value: unknown } ? Omit<P, "value"> : never) : never;

/** The keys of one fleet. */
export class Keys {
  /** What every node reads and watches. */
  readonly live: string;
  private readonly past: string;

  constructor(fleet: string) {
    this.live = `/vipd/${fleet}/live/`;
    this.past = `/vipd/${fleet}/history/`;
  }

  fleet(): string {
    return `${this.live}fleet`;
  }

  session(node: string): string {
    return `${this.live}sessions/${node}`;
  }

  election(election: string): string {
    return `${this.live}elections/${election}`;
  }

  candidate(election: string, node: string): string {
    return `${this.live}candidates/${election}/${node}`;
  }

  history(election: string, seq: number): string {
    return `${this.historyOf(election)}${seq % HISTORY_LENGTH}`;
  }

  /** The prefix of an election's history. */
  historyOf(election: string): string {
    return `${this.past}${election}/`;
  }

  /** What a live key is about; `undefined` for a key that is none of ours. */
  place(key: string): Place | undefined {
    if (!key.startsWith(this.live)) return undefined;
    const [folder, first, second, ...rest] = key.slice(this.live.length).split("/");
    if (rest.length > 0) return undefined;
    if (folder === "fleet" && first === undefined) return { kind: "fleet" };
    if (first === undefined || !isName(first)) return undefined;
    if (folder === "sessions" && second === undefined) return { kind: "session", node: first };
    if (folder === "elections" && second === undefined) return { kind: "election", election: first };
    if (folder === "candidates" && second !== undefined && isName(second))
      return { kind: "candidate", election: first, node: second };
    return undefined;
  }
}

const schemas = {
  session: sessionSchema,
  election: electionSchema,
  candidate: candidateSchema,
  fleet: fleetSchema,
} as const;

/** Reads a record's value; `undefined` when it is not JSON, not of the schema, or of another format. */
export function parseValue(place: Place, text: string): Parsed | undefined {
  const json = parseJson(text);
  const result = schemas[place.kind].safeParse(json);
  return result.success ? ({ ...place, value: result.data } as Parsed) : undefined;
}

/** Writes a record's value, with the format's number. */
export function encodeValue<T extends SessionRecord | ElectionRecord | CandidateRecord | HistoryRecord | FleetRecord>(
  value: Omit<T, "format">,
): string {
  return JSON.stringify({ format: FORMAT, ...value });
}

/** Reads one entry of an election's history; `undefined` when it does not parse. */
export function parseHistory(text: string): HistoryRecord | undefined {
  const result = historySchema.safeParse(parseJson(text));
  return result.success ? result.data : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

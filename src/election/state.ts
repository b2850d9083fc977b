// The state of one node's election machine, the events that move it, and the effects it asks for.

import { type Instant, LONG_AGO } from "../base/time.ts";
import type { Change, Revision, Snapshot, Txn } from "../ports/store.ts";
import { type LeaseTimings, leaseTimings } from "./lease.ts";
import { emptyMirror, type Mirror } from "./mirror.ts";
import { Keys } from "./records.ts";

/** Who this node is; fixed for the life of the process. */
export interface Self {
  readonly node: string;
  readonly fleet: string;
  readonly host: string;
  /** One life of the process: no other process, earlier or later, has the same. */
  readonly processId: string;
  readonly ttlMs: number;
}

/** What a node brings to an election. */
export interface Candidacy {
  /** Effective priority, 0 to 255; the greatest acquires first. */
  readonly priority: number;
  /** Whether the host could hold it now. */
  readonly eligible: boolean;
  /** Why it is not eligible; empty when it is. */
  readonly reason: string;
  /** Whether a holder of lower priority shall hand over. */
  readonly preempt: boolean;
  readonly preemptDelayMs: number;
  /** In CIDR form; empty for an election without a VIP. */
  readonly addresses: readonly string[];
  readonly interface: string | null;
}

/** The moment of a step. */
export interface Moment {
  readonly now: Instant;
  /** For records that people read; nothing is decided by it. */
  readonly wallMs: number;
}

/** The claim under which this node holds its session. */
export type Identity =
  /** `joined`: the store has, or had, a session record of this incarnation. */
  | { readonly kind: "ready"; readonly incarnation: string; readonly joined: boolean }
  /** The session is lost for good; a new incarnation has been asked for. */
  | { readonly kind: "spent" };

/** What an attempt to commit would change, kept until its outcome is known. */
export interface Attempt {
  readonly number: number;
  /** Read before the request was made. */
  readonly sentAt: Instant;
  readonly txn: Txn;
  /** The claim that it was made under. */
  readonly incarnation: string;
  /** The version of the own session record that the attempt insists on. */
  readonly sessionVersion: Revision | null;
  /** Elections that it releases away; until it is settled they may be another's. */
  readonly releases: ReadonlySet<string>;
  /** Nothing but a heartbeat: its conflict can only mean that the session is lost. */
  readonly heartbeatOnly: boolean;
  /** It ends the session. */
  readonly endsSession: boolean;
}

/** What the host is doing for an election; no entry: nothing, surely. */
export type Tenure =
  | { readonly phase: "on"; readonly token: Revision; readonly since: Instant }
  | { readonly phase: "closing"; readonly reason: string };

/** A wish to hand an election over. */
export interface StepDown {
  readonly to: string | null;
  readonly reason: string;
}

/** An election that the host could not hold lately. */
export interface Unfit {
  readonly until: Instant;
  readonly reason: string;
}

/** Everything an election machine knows. Immutable. */
export interface State {
  readonly self: Self;
  readonly keys: Keys;
  readonly timings: LeaseTimings;
  readonly identity: Identity;
  readonly mirror: Mirror;
  /** Whether the first read has come. */
  readonly synced: boolean;
  /** What is known up to this revision is of the mirror's own epoch: a read or an own commit has told so. */
  readonly confirmedRevision: Revision;
  /** Elections that an earlier process of this claim held, and that this one has neither taken up nor let go: the host may answer for them. */
  readonly adopted: ReadonlySet<string>;
  /** The lease: it surely lasts until here. */
  readonly validUntil: Instant;
  /** When the last heartbeat that surely counted was sent. */
  readonly heartbeatSentAt: Instant;
  /** The number of the last attempt. */
  readonly attempts: number;
  readonly inFlight: Attempt | null;
  /** Attempts whose outcome is unknown. */
  readonly inDoubtAttempts: readonly Attempt[];
  readonly reading: boolean;
  readonly readWanted: boolean;
  readonly lastReadAt: Instant;
  /** No request to the store before this. */
  readonly backoffUntil: Instant;
  readonly conflicts: number;
  readonly candidacies: ReadonlyMap<string, Candidacy>;
  readonly tenures: ReadonlyMap<string, Tenure>;
  readonly stepDowns: ReadonlyMap<string, StepDown>;
  /** Elections that this node stepped down from: it does not ask for them back by pre-emption. */
  readonly preemptSuppressed: ReadonlySet<string>;
  readonly unfit: ReadonlyMap<string, Unfit>;
  /** Heartbeats seen of a foreign session under this node's name. */
  readonly duplicateNodeHeartbeats: number;
  readonly stopping: boolean;
  readonly stopped: boolean;
  /** What the store said last time that it failed; `null` when it works. */
  readonly storeError: string | null;
}

/** What happens to the machine. */
export type Event =
  | { readonly type: "tick" }
  | { readonly type: "read"; readonly snapshot: Snapshot }
  | { readonly type: "read-failed"; readonly message: string }
  | { readonly type: "changes"; readonly changes: readonly Change[] }
  | { readonly type: "gap"; readonly reason: string }
  | { readonly type: "committed"; readonly attempt: number; readonly revision: Revision; readonly epoch: string }
  | { readonly type: "conflict"; readonly attempt: number }
  /** It was surely not applied and will not be. */
  | { readonly type: "refused"; readonly attempt: number; readonly message: string }
  /** It may have been applied, or may be later. */
  | { readonly type: "unknown"; readonly attempt: number; readonly message: string }
  | { readonly type: "incarnation"; readonly incarnation: string }
  | { readonly type: "candidacy"; readonly election: string; readonly candidacy: Candidacy | null }
  /** The host confirms: the fence is closed and the address is gone. */
  | { readonly type: "let-go"; readonly election: string }
  /** The host could not hold it, or no longer; a "let-go" follows or came before. */
  | { readonly type: "unfit"; readonly election: string; readonly reason: string; readonly forMs: number }
  | { readonly type: "step-down"; readonly election: string; readonly to: string | null }
  | { readonly type: "stop" };

/** What the machine asks of its surroundings, to be done in order. */
export type Effect =
  | { readonly type: "read"; readonly timeoutMs: number }
  | { readonly type: "commit"; readonly attempt: number; readonly txn: Txn; readonly timeoutMs: number }
  /** Hold it: the lease lasts until `until`. */
  | { readonly type: "gain"; readonly election: string; readonly token: Revision; readonly until: Instant }
  /** All that is held may be held until `until`. */
  | { readonly type: "extend"; readonly until: Instant }
  /** Stop holding it now; confirm with "let-go". */
  | { readonly type: "lose"; readonly election: string; readonly reason: string }
  /** Make a new incarnation, durable before it is handed in. */
  | { readonly type: "renew-incarnation" }
  /** Something people should know; `warning` asks for their help. */
  | { readonly type: "note"; readonly level: "info" | "warning"; readonly election?: string; readonly text: string }
  /** The node has left the fleet. */
  | { readonly type: "stopped" };

/** A machine at its start. `adopt`: the incarnation of an earlier process that is surely over, to be taken up again. */
export function initialState(self: Self, incarnation: string, adopt: boolean, now: Instant): State {
  return {
    self,
    keys: new Keys(self.fleet),
    timings: leaseTimings(self.ttlMs),
    identity: { kind: "ready", incarnation, joined: adopt },
    mirror: emptyMirror(now),
    synced: false,
    confirmedRevision: -1n,
    adopted: new Set(),
    validUntil: LONG_AGO,
    heartbeatSentAt: LONG_AGO,
    attempts: 0,
    inFlight: null,
    inDoubtAttempts: [],
    reading: false,
    readWanted: true,
    lastReadAt: LONG_AGO,
    backoffUntil: LONG_AGO,
    conflicts: 0,
    candidacies: new Map(),
    tenures: new Map(),
    stepDowns: new Map(),
    preemptSuppressed: new Set(),
    unfit: new Map(),
    duplicateNodeHeartbeats: 0,
    stopping: false,
    stopped: false,
    storeError: null,
  };
}

/** A copy of a map with one entry set, or removed when `value` is `undefined`. */
export function withEntry<V>(map: ReadonlyMap<string, V>, key: string, value: V | undefined): ReadonlyMap<string, V> {
  const copy = new Map(map);
  if (value === undefined) copy.delete(key);
  else copy.set(key, value);
  return copy;
}

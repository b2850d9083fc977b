// The state of one node's election machine, the events that move it, and the effects it asks for.
//
// The state is owned by the machine, which changes it in place: a node may take part in thousands of elections, and a
// copy for each step would cost more than the step. Everybody else only reads it.

import type { Candidacy } from "../base/candidacy.ts";
import type { Reason } from "../base/reasons.ts";
import { type Instant, LONG_AGO, NEVER } from "../base/time.ts";
import { Wakeups } from "../base/wakeups.ts";
import type { ConfirmedAddresses, Grant, Loss } from "../ports/elector.ts";
import type { Change, Revision, Snapshot, Txn } from "../ports/store.ts";
import { Keys } from "./keys.ts";
import { type LeaseTimings, leaseTimings } from "./lease.ts";
import { Mirror, type ReadScope } from "./mirror.ts";

/** Who this node is; fixed for the process. */
export interface Self {
  readonly node: string;
  readonly fleet: string;
  readonly host: string;
  /** No other process, earlier or later, has the same. */
  readonly processId: string;
  readonly ttlMs: number;
  /** The longest lease that this host has known in the fleet, also in earlier processes, in milliseconds. */
  readonly knownTtlMs: number;
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
  /** Elections that it releases or hands over; until it is settled they may be another's. */
  readonly releases: ReadonlySet<string>;
  /** Elections of which it reports a loss. */
  readonly reports: readonly string[];
  /** Nothing but a heartbeat: its conflict can only mean that the session is lost. */
  readonly heartbeatOnly: boolean;
  /** It ends the session. */
  readonly endsSession: boolean;
}

/** What the host is doing for an election; no entry: nothing, surely. */
export type Tenure =
  | {
      readonly phase: "on";
      readonly token: Revision;
      readonly since: Instant;
      /** What the host was told that it may answer for. */
      readonly addresses: readonly string[];
    }
  | { readonly phase: "closing"; readonly reason: Reason };

/** A wish to hand an election over. */
export interface StepDown {
  readonly to: string | null;
  readonly reason: Reason;
}

/** An election that was lost unwillingly, to be told in its history. */
export interface LossReport extends Interruptions {
  readonly seq: number;
  readonly wallMs: number;
  readonly reason: Reason;
  /** How long nobody held it until this node did again, under the same token; `null`: it has not. In milliseconds. */
  readonly heldAgainAfterMs: number | null;
}

/** How often, and for how long in all, nobody held an election between two ownership changes. */
export interface Interruptions {
  readonly interruptions: number;
  readonly interruptedMs: number;
}

/** The host holds no longer what the store still names this node for. */
export interface OpenLoss {
  readonly token: Revision;
  readonly seq: number;
  readonly at: Moment;
  readonly reason: Reason;
}

/** A time in which no request to the store succeeded. */
export interface Outage {
  readonly since: Instant;
  readonly failures: number;
  readonly lastError: string;
}

/** Who held an election when it was looked at last. */
export interface ObservedOwner {
  readonly version: Revision;
  readonly holder: string | null;
  readonly sinceWallMs: number;
}

/** Everything an election machine knows. */
export interface State {
  readonly self: Self;
  readonly keys: Keys;
  readonly timings: LeaseTimings;
  startedAt: Instant;
  identity: Identity;
  readonly mirror: Mirror;
  /** Whether the first read has come. */
  synced: boolean;
  /** When that was. */
  syncedAt: Instant;
  /** What is known up to this revision is of the mirror's own epoch: a read or an own commit has told so. */
  confirmedRevision: Revision;
  /** Elections that the previous process of this claim held, and that this one has neither taken up nor released: the host may answer for them. */
  readonly adopted: Set<string>;
  /** The lease that the previous process published, while its fence may still be open; and until when. */
  predecessorTtlMs: number;
  predecessorUntil: Instant;
  /** The longest lease known in the fleet, in milliseconds. */
  longestTtlMs: number;
  /** The lease: it surely lasts until here. */
  validUntil: Instant;
  /** When the last heartbeat that surely counted was sent. */
  heartbeatSentAt: Instant;
  /** The last attempt that surely counted: its number, and the store's epoch at the time. */
  credited: { readonly number: number; readonly epoch: string | null };
  /** The number of the last attempt. */
  attempts: number;
  inFlight: Attempt | null;
  /** Attempts whose outcome is unknown. */
  inDoubtAttempts: readonly Attempt[];
  /** The read that is under way, and the one that is wanted next. */
  reading: ReadScope | null;
  readWanted: ReadScope | null;
  lastReadAt: Instant;
  lastFullReadAt: Instant;
  /** A commit lost against another node's, or its outcome is unknown: nothing but heartbeats before the next read. */
  readBeforeCommit: boolean;
  /** The last read showed what the watch had not brought; and how far the watch had come by then. */
  lagging: boolean;
  newestChangeAtRead: Revision;
  /** Since when full reads have shown what the watch has not brought; `null`: the last one did not. */
  silentSince: Instant | null;
  /** No read, and no commit, before this. */
  readBackoffUntil: Instant;
  commitBackoffUntil: Instant;
  conflicts: number;
  readonly candidacies: Map<string, Candidacy>;
  readonly tenures: Map<string, Tenure>;
  /** How many of the tenures are "on". */
  holding: number;
  readonly stepDowns: Map<string, StepDown>;
  /** Elections that this node stepped down from: it does not ask for them back by pre-emption. */
  readonly preemptSuppressed: Set<string>;
  /** Elections that the store says are this node's, while all their addresses are another election's. */
  readonly claimed: Map<string, Reason>;
  /** Who held each election that concerns this node, by the last look. */
  readonly observed: Map<string, ObservedOwner>;
  /** Elections that this node may hold although it is not eligible: nobody else is. */
  readonly lastResorts: Set<string>;
  /** Whether an election of this node belongs to a spread group; and when one was last handed over for that. */
  spreads: boolean;
  spreadMovedAt: Instant;
  readonly lossReports: Map<string, LossReport>;
  /** Until it is held again, released in the store, or another's. */
  readonly openLosses: Map<string, OpenLoss>;
  /** Of the ownership change of that number. */
  readonly interruptions: Map<string, Interruptions & { readonly seq: number }>;
  /** Heartbeats seen of a foreign session under this node's name. */
  duplicateNodeHeartbeats: number;
  stopping: boolean;
  stopped: boolean;
  /** The store does not answer, or not as it should; `null` when it works. */
  outage: Outage | null;
  /** When people were last told of the outage. */
  outageNotedAt: Instant;
  /** Whether people know of this outage; when the last one ended; and the failed requests of those that nobody was told of. */
  outageTold: boolean;
  outageEndedAt: Instant;
  untoldFailures: number;
  /** When others were last seen to take a vacant election: while they go on, this node waits for its turn. */
  readonly lastTakenBy: Map<string, Instant>;
  /** Nodes whose lease has run out as seen here. */
  readonly silent: Set<string>;
  /** What lasts and people should know: by kind of condition. */
  readonly conditions: Map<string, string>;
  /** Elections that a watch says are this node's, which is not confirmed yet. */
  readonly unconfirmed: Set<string>;
  /** Elections to judge in this step, and what is due to be written for which of them. */
  readonly dirty: Set<string>;
  readonly due: DueMutations;
  /** What was true of all elections at the last step. */
  covered: boolean;
  owned: boolean;
  trusted: boolean;
  /** Who wants to be woken, and when. */
  readonly wakeups: Wakeups;
}

/** Elections for which something is due to be written. */
export interface DueMutations {
  readonly release: Set<string>;
  readonly candidate: Set<string>;
  readonly claim: Set<string>;
  readonly take: Set<string>;
}

/** What happens to the machine. */
export type Event =
  | { readonly type: "tick" }
  | { readonly type: "read"; readonly scope: ReadScope; readonly snapshot: Snapshot }
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
  /** What this node brings to these elections from now on; `null`: nothing. */
  | { readonly type: "candidacies"; readonly changes: ReadonlyMap<string, Candidacy | null> }
  /** The host confirms: their fences are closed and their addresses are gone. */
  | { readonly type: "released"; readonly elections: readonly string[] }
  | { readonly type: "step-down"; readonly election: string; readonly to: string | null; readonly reason: Reason }
  /** The claim is given up without a word to the store: the session runs out by itself. */
  | { readonly type: "abandon"; readonly reason: Reason }
  | { readonly type: "stop" };

/** What the machine asks of its surroundings, to be done in order. */
export type Effect =
  | { readonly type: "read"; readonly scope: ReadScope; readonly timeoutMs: number }
  /** The watch does not bring what the store has: end it, and begin another one after the next read of everything. */
  | { readonly type: "rewatch" }
  | { readonly type: "commit"; readonly attempt: number; readonly txn: Txn; readonly timeoutMs: number }
  /** Hold these: the lease lasts until `until`. */
  | { readonly type: "gain"; readonly grants: readonly Grant[]; readonly until: Instant }
  /** All that is held may be held until `until`. */
  | { readonly type: "extend"; readonly until: Instant }
  /** These, and no others, are the addresses of a held election that may be answered for. */
  | { readonly type: "confirm"; readonly confirmed: readonly ConfirmedAddresses[] }
  /** Stop holding these now; confirm with "released". */
  | { readonly type: "lose"; readonly losses: readonly Loss[] }
  /** Make a new incarnation, durable before it is handed in. */
  | { readonly type: "renew-incarnation" }
  /** Keep the longest lease of the fleet for later processes, in milliseconds. */
  /** What a previous process may still answer for, by election; nothing else that it left may stay open. */
  | { readonly type: "adopted"; readonly addresses: ReadonlyMap<string, readonly string[]> }
  | { readonly type: "remember-ttl"; readonly longestTtlMs: number }
  /** Something people should know; `warning` asks for their help. */
  | { readonly type: "note"; readonly level: "info" | "warning"; readonly election?: string; readonly text: string }
  /** The node has left the fleet. */
  | { readonly type: "stopped" };

/** A machine at its start. `adopt`: the incarnation of a previous process that is surely over, to be taken up again. */
export function initialState(self: Self, incarnation: string, adopt: boolean, now: Instant): State {
  const keys = new Keys(self.fleet);
  return {
    self,
    keys,
    timings: leaseTimings(self.ttlMs),
    startedAt: now,
    identity: { kind: "ready", incarnation, joined: adopt },
    mirror: new Mirror(keys, now, self.node),
    synced: false,
    syncedAt: NEVER,
    confirmedRevision: -1n,
    adopted: new Set(),
    predecessorTtlMs: 0,
    predecessorUntil: LONG_AGO,
    longestTtlMs: Math.max(self.ttlMs, self.knownTtlMs),
    validUntil: LONG_AGO,
    heartbeatSentAt: LONG_AGO,
    credited: { number: 0, epoch: null },
    attempts: 0,
    inFlight: null,
    inDoubtAttempts: [],
    reading: null,
    readWanted: "all",
    lastReadAt: LONG_AGO,
    lastFullReadAt: LONG_AGO,
    readBeforeCommit: false,
    lagging: false,
    newestChangeAtRead: -1n,
    silentSince: null,
    readBackoffUntil: LONG_AGO,
    commitBackoffUntil: LONG_AGO,
    conflicts: 0,
    candidacies: new Map(),
    tenures: new Map(),
    holding: 0,
    stepDowns: new Map(),
    preemptSuppressed: new Set(),
    claimed: new Map(),
    observed: new Map(),
    lastResorts: new Set(),
    spreads: false,
    spreadMovedAt: LONG_AGO,
    lossReports: new Map(),
    openLosses: new Map(),
    interruptions: new Map(),
    duplicateNodeHeartbeats: 0,
    stopping: false,
    stopped: false,
    outage: null,
    outageNotedAt: LONG_AGO,
    outageTold: false,
    outageEndedAt: LONG_AGO,
    untoldFailures: 0,
    lastTakenBy: new Map(),
    silent: new Set(),
    conditions: new Map(),
    unconfirmed: new Set(),
    dirty: new Set(),
    due: { release: new Set(), candidate: new Set(), claim: new Set(), take: new Set() },
    covered: false,
    owned: false,
    trusted: false,
    wakeups: new Wakeups(),
  };
}

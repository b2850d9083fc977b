// The contract between who decides and what the host does. An elector decides which elections this node holds: the
// lease election by a store, VRRP by advertisements on the wire, or both together. The host side (VIPs, hooks, status)
// knows electors only.
//
// What an elector owes its host:
// - `gain` only what it is surely granted until `until`, and what the host has surely released before;
// - `extend` only by what is confirmed; an elector that says nothing extends nothing;
// - an address that an election has gained may be answered for only when it was granted or confirmed with it: another
//   election may still have it;
// - `lose` as soon as it must not, or shall not, be held any more. It tells nobody else so before `released`.
// What a host owes its electors:
// - each loss is performed at once and synchronously as far as the fence goes;
// - each loss is answered by `released` when the fence is closed and the addresses are gone, never before.

import type { Candidacy } from "../base/candidacy.ts";
import type { Reason } from "../base/reasons.ts";
import type { Instant } from "../base/time.ts";

/** A fencing token: greater at each ownership change of an election. */
export type Token = bigint;

/** An election that this node may hold from now on. */
export interface Grant {
  readonly election: string;
  readonly token: Token;
  /** The token before; `null`: there was none, or it is not known. */
  readonly previousToken: Token | null;
  readonly reason: Reason;
  /** How long nobody had held it, as far as that is known, in milliseconds. */
  readonly vacantMs: number | null;
  /**
   * The addresses that may be answered for, without prefixes, and the virtual MACs that may be sent with: an address that has
   * one may be answered for only when both are here. More may come by `confirm`.
   */
  readonly addresses: readonly string[];
}

/** An election that this node must not hold any more. */
export interface Loss {
  readonly election: string;
  /** The token under which it was held; `null`: a former process held it. */
  readonly token: Token | null;
  readonly reason: Reason;
}

/**
 * What grants are valid by. All that is granted under one deadline is extended together. Numbers are the elector's own,
 * small, and not shared between electors of a host.
 */
export interface Validity {
  readonly deadline: number;
  readonly until: Instant;
}

/** An election that is held, and the addresses of it, as in a grant, that may be answered for: these and no others. */
export interface ConfirmedAddresses {
  readonly election: string;
  readonly addresses: readonly string[];
}

/** The host, as electors see it. */
export interface ElectorHost {
  gain(grants: readonly Grant[], validity: Validity): void;
  extend(validities: readonly Validity[]): void;
  lose(losses: readonly Loss[]): void;
  /** The addresses of these held elections that may be answered for are others than before. */
  confirm(confirmed: readonly ConfirmedAddresses[]): void;
  /**
   * What a former process may still answer for, by election, as in a grant: by the elections' former configuration.
   * The host closes and removes, at once, whatever else a former process has left, also what is configured for another
   * election now.
   */
  adopted(addresses: ReadonlyMap<string, readonly string[]>): void;
  /** A neighbour may have learned another way to a held election's addresses: they are announced anew. */
  announce(election: string): void;
  /** Somebody else holds a held election too, or does not any more (`null`). */
  contested(election: string, by: string | null): void;
  /** Something that people should know; a warning asks for their help. */
  note(level: "info" | "warning", election: string | null, text: string): void;
  /** What a view of the elector shows has changed. */
  changed(): void;
  /** All is released, and others know. */
  stopped(): void;
}

/** How an elector decides. */
export type ElectorKind = "lease" | "vrrp" | "lease+vrrp";

/** An elector, for some of the elections of a host. */
export interface Elector {
  readonly kind: ElectorKind;
  start(): void;
  /** What this node brings to these elections from now on; `null`: nothing. */
  updateCandidacies(changes: ReadonlyMap<string, Candidacy | null>): void;
  /** The host has released these. */
  released(elections: readonly string[]): void;
  /** Whether this node holds the election, and under which token. */
  tokenOf(election: string): Token | undefined;
  /** Whether a former process of this node may hold the election still, which is not decided yet. */
  isUndecided(election: string): boolean;
  /** Whether it is known by now what a former process of this node holds, or that it holds nothing any more. */
  readonly knowsFormer: boolean;
  /** Hands an election over, to the node that is named or to the best; the answer says why not, or nothing. */
  stepDown(election: string, to: string | null, why: Reason): string | undefined;
  /** Gives up everything, for good; `stopped` follows. */
  stop(): void;
  /** Ends it where it stands: nothing is sent or told any more. */
  close(): void;
}

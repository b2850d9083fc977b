// Why an election changed its holder, or has none: every reason that vipd gives, in one table. The code is stable, for
// programs, metrics and hooks; the text is for people. Records, log lines, status and history carry both.

import { clip } from "./text.ts";

/** The reasons, by code; `detail` is the name, state or error that the text speaks of. */
const TEXTS = {
  // Why a node took it.
  "first-holder": () => "nobody had held it before",
  vacant: (detail) => `it was free: ${detail}`,
  "holder-silent": (node) => `${node} sent no heartbeat for its whole lease`,
  "holder-left": (node) => `the session of ${node} had ended`,
  "holder-restarted": (node) => `${node} had started a new session`,
  regained: (detail) => `this node had it before, and nobody has taken it since: ${detail}`,
  "store-restored": () => "the store was restarted or restored, so the token was renewed",
  unreadable: () => "its record in the store cannot be read: vipctl repair shows and resets it",
  repaired: () => "its record was repaired with vipctl",
  // Why a holder gave it up, or handed it over.
  "step-down": () => "step-down was requested",
  preempted: (node) => `${node} has a higher priority`,
  spread: (node) => `${node} is its place in the spread group`,
  shutdown: () => "vipd was stopped",
  unconfigured: () => "it is no longer configured on this node",
  maintenance: (detail) => `maintenance${detail === "" ? "" : ` (${detail})`} until vipctl resume`,
  "link-down": (detail) => detail,
  "check-failed": (detail) => `check failed: ${detail}`,
  outweighed: (detail) =>
    `its checks had lowered its priority when it lost it, ${detail}: it does not pre-empt others for a while`,
  "check-pending": (detail) => `its checks have not looked yet: ${detail}`,
  starting: () => "vipd has just started, and waits for its startupDelay",
  "host-released": () => "this host could not hold it: its log says why",
  reconfigured: () => "its virtual router was configured anew",
  "hold-failed": (detail) => `the kernel refused: ${detail}`,
  "address-claimed": (detail) => detail,
  "own-address": (detail) => detail,
  "foreign-address": (detail) => detail,
  "real-server": (detail) => detail,
  "arp-settings": (settings) => `with ${settings} this kernel does not answer ARP with the virtual MAC`,
  ineligible: (detail) => detail,
  // What is told beside that.
  started: () => "vipd was started",
  "fit-again": () => "nothing speaks against it any more",
  conflict: (detail) => `somebody else answers for it: ${detail}`,
  // Why a holder lost it.
  "lease-expired": (detail) =>
    `the lease expired before a heartbeat was confirmed${detail === "" ? "" : `: ${detail}`}`,
  "session-lost": (detail) => `the session was lost: ${detail}`,
  "other-holder": () => "the store names another holder",
  "too-slow": () => "this host was too slow to extend the fence within the lease",
  "work-stuck": () => "the leader's work did not settle in time",
  // VRRP.
  "master-down": () => "no master was heard in time",
  "master-left": (detail) => `the master ${detail} has given it up (priority 0)`,
  "lower-master": (detail) => `the master ${detail} has a lower priority`,
  "higher-master": (detail) => `the master ${detail} takes precedence`,
  "address-owner": () => "it owns the addresses (priority 255)",
  "adverts-late": () => "no advert could be sent in time, so that others may take over",
} as const satisfies Readonly<Record<string, (detail: string) => string>>;

/** A stable code; never renamed. */
export type ReasonCode = keyof typeof TEXTS;

/** Why something happened to an election. A record of another version may carry a code that this one does not know. */
export interface Reason {
  readonly code: string;
  /** For people; at most MAX_REASON_LENGTH characters. */
  readonly text: string;
}

/** Longest text of a reason, in UTF-16 code units: what is longer is cut where it is made. */
export const MAX_REASON_LENGTH = 400;

/** The reason of this code. */
export function reason(code: ReasonCode, detail = ""): Reason {
  const text = TEXTS[code](detail);
  return { code, text: clip(text, MAX_REASON_LENGTH) };
}

/** Whether two reasons say the same; `null`: there is none. */
export function sameReason(a: Reason | null, b: Reason | null): boolean {
  return a?.code === b?.code && a?.text === b?.text;
}

/** Every code, for documents and tests. */
export const REASON_CODES: readonly ReasonCode[] = Object.keys(TEXTS) as ReasonCode[];

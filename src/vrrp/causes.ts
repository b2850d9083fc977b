// Why a virtual router changes its state: a code for machines and a sentence for people.

/** The reason of a change. */
export type Cause =
  /** The start, and the end of the startup delay. */
  | "started"
  /** Priority 255 does not wait for others. */
  | "owner"
  /** No advert came within the master-down time. */
  | "silence"
  /** The master said farewell: its advert had priority 0. */
  | "farewell"
  /** The master's priority is lower. */
  | "preemption"
  /** The integrator knew that the master has given way. */
  | "given-way"
  /** Another master has a higher priority, or an equal one and a higher address. */
  | "outranked"
  /** No advert of this router has left in time: its peers may take over. */
  | "adverts-stopped"
  /** The host may not hold it: link, checks, configuration. */
  | "ineligible"
  | "fit-again"
  /** The host could not hold it. */
  | "unable"
  | "back-off-over"
  | "step-down"
  | "stop";

/** One change of state. */
export interface Change {
  readonly cause: Cause;
  /** A sentence for people. */
  readonly text: string;
}

const SENTENCES: Readonly<Record<Cause, (detail: string) => string>> = {
  started: () => "it has started",
  owner: () => "it owns the addresses (priority 255)",
  silence: () => "no master was heard in time",
  farewell: (who) => `the master ${who} has given it up (priority 0)`,
  preemption: (who) => `the master ${who} has a lower priority`,
  "given-way": () => "the former master has given way",
  outranked: (who) => `the master ${who} takes precedence`,
  "adverts-stopped": () => "no advert could be sent in time, so that others may take over",
  ineligible: (reason) => reason,
  "fit-again": () => "it may hold the addresses again",
  unable: (reason) => reason,
  "back-off-over": () => "it tries again to hold the addresses",
  "step-down": () => "it was asked to step down",
  stop: () => "it stops",
};

/** A change with its sentence; `detail` is the other router or the reason that was given. */
export function changeOf(cause: Cause, detail = ""): Change {
  return { cause, text: SENTENCES[cause](detail) };
}

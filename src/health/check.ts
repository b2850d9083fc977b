// One check as its machine sees it: how it is judged, its state, the events that move it, and the effects it asks for.

import type { Instant } from "../base/time.ts";
import type { CheckResult } from "./result.ts";

/** What is tried before a check counts as failed. */
export interface RecoverPolicy {
  /** How many times at most; the tries are replenished when the check has been ok `rise` times in a row. */
  readonly tries: number;
  /** From the end of the command to the look whether it helped, in milliseconds. */
  readonly waitMs: number;
  /** The command is stopped after this long, in milliseconds. */
  readonly timeoutMs: number;
}

/** How a check is run and judged. */
export interface CheckPolicy {
  /** From one start to the next, in milliseconds. */
  readonly intervalMs: number;
  /** A run that has not ended after this long has failed, in milliseconds. */
  readonly timeoutMs: number;
  /** Successes in a row that end a failure; at least 1. */
  readonly rise: number;
  /** Failures in a row that make one; at least 1. */
  readonly fall: number;
  /** What counts before the first run has ended; "pending": nothing, and the first result alone decides. */
  readonly initial: Verdict;
  /** `null`: nothing is tried. */
  readonly recover: RecoverPolicy | null;
}

/** What a check counts as. A failure with a recovery under way does not count as "failed" yet. */
export type Verdict = "pending" | "ok" | "failed";

/** The run of a check. */
export type Run =
  | { readonly phase: "none" }
  | {
      readonly phase: "running";
      readonly id: number;
      readonly startedAt: Instant;
      /** Whether it was given a moment more because this process itself had been held up. */
      readonly graced: boolean;
      /** Whether news came meanwhile: it may have looked too early. */
      readonly again: boolean;
    }
  /** It was told to stop, its failure is counted, and it has not ended yet. */
  | { readonly phase: "ending"; readonly id: number };

/** The recovery of a check. */
export type Recovery =
  | { readonly phase: "none" }
  | { readonly phase: "commanded"; readonly attempt: number }
  /** The command is over; its effect is waited for. */
  | { readonly phase: "settling"; readonly attempt: number }
  /** The next result decides whether it helped. */
  | { readonly phase: "looking"; readonly attempt: number };

/** A result and when it came. */
export interface LastResult {
  readonly result: CheckResult;
  readonly at: Instant;
  readonly tookMs: number;
}

/** The timers of a check; `NEVER`: it is off. */
export interface CheckTimers {
  /** The next start. */
  readonly run: Instant;
  /** When the run that is under way has failed. */
  readonly deadline: Instant;
  /** The end of the recovery's command, or of the wait behind it. */
  readonly recovery: Instant;
}

/** A check. Immutable. */
export interface CheckState {
  readonly policy: CheckPolicy;
  readonly verdict: Verdict;
  /** Since when the verdict is this one. */
  readonly since: Instant;
  /** Why the verdict is this one: the reason of the result that made it. */
  readonly reason: string;
  /** The number of the last result that had one. */
  readonly value: number | null;
  readonly run: Run;
  readonly recovery: Recovery;
  /** In a row, up to the last result. */
  readonly successes: number;
  readonly failures: number;
  /** Tries of the recovery that are used up. */
  readonly attempts: number;
  readonly last: LastResult | null;
  readonly lastRecovery: LastResult | null;
  /** How many runs have been started. */
  readonly runs: number;
  readonly lastStart: Instant;
  /** Starts are this instant plus a multiple of the interval: checks that were spread stay spread. */
  readonly grid: Instant;
  readonly timers: CheckTimers;
  readonly stopped: boolean;
}

/** What happens to a check. */
export type CheckEvent =
  | { readonly type: "tick" }
  /** The run of this number has ended, also one that was told to stop. */
  | { readonly type: "ran"; readonly run: number; readonly result: CheckResult }
  /** The recovery of this number has ended, also one that was told to stop. */
  | { readonly type: "recovered"; readonly attempt: number; readonly result: CheckResult }
  /** What it looks at has changed, or somebody asks: run now. */
  | { readonly type: "nudge" }
  /** No further run. */
  | { readonly type: "stop" };

/** What a check asks for. */
export type CheckEffect =
  /** Run it; answered by "ran". */
  | { readonly type: "run"; readonly run: number }
  /** Stop the run, which has failed already; still answered by "ran". */
  | { readonly type: "abandon-run"; readonly run: number; readonly why: "timeout" | "stop" }
  /** Run the recovery's command; answered by "recovered". */
  | { readonly type: "recover"; readonly attempt: number }
  /** Stop the recovery's command; still answered by "recovered". */
  | { readonly type: "abandon-recovery"; readonly attempt: number; readonly why: "timeout" | "stop" }
  /** The verdict, the number, or whether a recovery is under way, is another one. */
  | { readonly type: "changed"; readonly what: "verdict" | "value" | "recovery"; readonly reason: string };

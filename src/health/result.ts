// What one run of a check says.

/** How a run ended. Everything but "ok" counts as a failure; the words differ, for people. */
export type CheckOutcome =
  /** It looked, and found what it should. */
  | "ok"
  /** It looked, and found something else. */
  | "failed"
  /** It did not end within its time. */
  | "timed-out"
  /** It could not look: no such program, no such user, a file of the wrong kind. */
  | "could-not-run";

/** The result of one run. */
export interface CheckResult {
  readonly outcome: CheckOutcome;
  /** What was found, in words for people: `exit status 1`, `HTTP 503`, `connection refused`. */
  readonly reason: string;
  /** The last line that it printed, cut and without control characters; empty when it printed none. */
  readonly lastLine: string;
  /** The number of a check that reads one (keepalived's track_file); `null` for all others. */
  readonly value: number | null;
}

/** A result of these parts; it has no line and no number unless they are given. */
export function checkResult(
  outcome: CheckOutcome,
  reason: string,
  more: Partial<Pick<CheckResult, "lastLine" | "value">> = {},
): CheckResult {
  return { outcome, reason, lastLine: more.lastLine ?? "", value: more.value ?? null };
}

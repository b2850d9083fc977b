// What performs a check.

import type { CheckResult } from "../health/result.ts";

/** Looks once at each call of `run`; calls never overlap. */
export interface Performer {
  /**
   * Looks. Settles soon after `signal` aborts; what it then says is not counted. It may reject only for its own mistakes.
   */
  run(signal: AbortSignal): Promise<CheckResult>;
  /**
   * Follows what it looks at, where the kernel tells of changes: calls `onNews` when a look would be worth it. The result ends
   * that. Absent where nobody tells.
   */
  watch?(onNews: () => void): () => void;
}

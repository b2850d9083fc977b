// The limits of a call, kept whatever the client library does.

import type { CallLimits } from "../../src/ports/store.ts";

/** A call was not settled by its own end, but by its limits. */
export class TimeLimitError extends Error {}

/** The end of a call whose time is up. */
export function timeIsUp(timeoutMs: number): TimeLimitError {
  return new TimeLimitError(`no answer within ${Math.round(timeoutMs)} ms`);
}

/**
 * Runs a call, and settles by its time limit (`restMs`, when some of it is used up) or its signal at the latest. What is left behind is
 * not waited for: it may still take effect, and its end is of no consequence.
 */
export function withTimeout<T>(limits: CallLimits, run: () => Promise<T>, restMs = limits.timeoutMs): Promise<T> {
  return new Promise((resolve, reject) => {
    const { signal, timeoutMs } = limits;
    if (signal?.aborted === true) return reject(new TimeLimitError("given up by the caller"));
    const onAbort = (): void => settle(() => reject(new TimeLimitError("given up by the caller")));
    const late = (): void => settle(() => reject(timeIsUp(timeoutMs)));
    const timer = setTimeout(late, Math.max(1, restMs));
    const settle = (how: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      how();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    run().then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error instanceof Error ? error : new Error(String(error)))),
    );
  });
}

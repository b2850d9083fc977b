// The checks of this node for status.

import type { CheckView } from "../admin/check-view.ts";
import { elapsedMs, type Instant } from "../base/time.ts";
import type { VipConfig } from "../config/types.ts";
import type { CheckState } from "../health/check.ts";

/** All checks, in the order of the configuration. */
export function checkViews(
  states: ReadonlyMap<string, CheckState>,
  vips: readonly VipConfig[],
  now: Instant,
): readonly CheckView[] {
  return [...states].map(([name, { verdict, since, reason, last, value, recovery }]): CheckView => ({
    name,
    verdict,
    sinceMs: elapsedMs(since, now),
    reason,
    last:
      last === null
        ? null
        : {
            reason: last.result.reason,
            lastLine: last.result.lastLine,
            agoMs: elapsedMs(last.at, now),
            tookMs: last.tookMs,
          },
    value,
    recovery: recovery.phase === "none" ? null : recovery.attempt,
    vips: vips.flatMap((vip) => (vip.checks.some(({ check }) => check === name) ? [vip.name] : [])),
  }));
}

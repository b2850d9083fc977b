// The checks of the configuration, each run once: what it says now, and what the daemon would make of that.

import type { CheckPlan } from "../../config/check-options.ts";
import type { Config, VipCheck, VipConfig } from "../../config/types.ts";
import { MAX_EFFECTIVE_PRIORITY, standingOf, type TrackedCheck } from "../../health/priority.ts";
import type { CheckResult } from "../../health/result.ts";
import { LONG_AGO } from "../../base/time.ts";
import type { VipctlDeps } from "../deps.ts";
import { fine, type Finding, warning } from "./finding.ts";

/** Runs them all; recoveries are not run. */
export async function examineChecks(config: Config, deps: VipctlDeps): Promise<readonly Finding[]> {
  if (deps.runChecks === undefined || config.checks.length === 0) return [];
  const results = await deps.runChecks(config.checks, deps.signal);
  return config.checks.flatMap((plan) => {
    const result = results.get(plan.name);
    return result === undefined ? [] : [judgeCheck(plan, result, config)];
  });
}

/** What one result of a check means for the VIPs that name it. */
export function judgeCheck(plan: CheckPlan, result: CheckResult, { vips }: Pick<Config, "vips">): Finding {
  const effects = vips.flatMap((vip) =>
    vip.checks.filter(({ check }) => check === plan.name).flatMap((ref) => effectOn(vip, ref, result) ?? []),
  );
  const line = result.lastLine === "" ? "" : ` (${result.lastLine})`;
  const isOk = result.outcome === "ok";
  const meaning = effects.length === 0 ? "" : `; ${effects.join("; ")}`;
  const text = `${plan.name}: ${isOk ? "ok" : "failed"}: ${result.reason}${line}${meaning}`;
  const isHarmless = isOk && !effects.some((effect) => effect.includes("does not hold"));
  if (isHarmless) return fine("check", text);
  const { fall, recover } = plan.policy;
  const tried = recover === null ? "" : `, and once ${plan.recover?.service ?? "its recovery"} was tried in vain`;
  const when = isOk ? "" : `this counts after ${fall === 1 ? "one failure" : `${fall} failures in a row`}${tried}; `;
  return warning("check", text, `${when}look at what it asks for, or at the check`);
}

/** In words; undefined: none. */
function effectOn(vip: VipConfig, ref: VipCheck, result: CheckResult): string | undefined {
  const verdict = result.outcome === "ok" ? "ok" : "failed";
  const tracked: TrackedCheck = { ...ref, verdict, value: result.value, reason: result.reason, since: LONG_AGO };
  const { eligible, priority } = standingOf(vip.priority, [tracked]);
  if (!eligible)
    return vip.lastResort === "keep"
      ? `this node does not hold ${vip.name} while another one is healthy`
      : `this node does not hold ${vip.name}`;
  if (priority === vip.priority) return undefined;
  const bound = priority === 1 || priority === MAX_EFFECTIVE_PRIORITY ? ", the bound" : "";
  return `priority of ${vip.name} ${vip.priority} -> ${priority}${bound}`;
}

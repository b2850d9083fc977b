// How exactly these routes and rules are removed. A deletion request is a wildcard: what it leaves out, or says as 0, may
// be anything, and the kernel takes the first entry that fits. So only what is there is asked for, and nothing that stays
// may fit before it.
//
// Routes: of those to one destination in one table the kernel asks the smallest metric first. A request for a route of
// metric 0 that is there therefore finds it; one for any other metric fits that metric alone.

import { type RoutingEntry, routingKey, type VipRule } from "../../src/base/routing.ts";

/** One request to the kernel. */
export interface RoutingStep {
  readonly act: "delete" | "add";
  readonly entry: RoutingEntry;
}

/**
 * The requests, in their order, after which of `present` only the entries with these keys are missing. `present` is all of
 * vipd's, in the kernel's order. Entries that are not there are asked for by no request.
 */
export function removalSteps(keys: ReadonlySet<string>, present: readonly RoutingEntry[]): readonly RoutingStep[] {
  const rules = Map.groupBy(
    present.flatMap((entry) => (entry.kind === "rule" ? entry : [])),
    ({ family, priority, table }) => `${family} ${priority} ${table}`,
  );
  return [
    ...present.filter((entry) => entry.kind === "route" && keys.has(routingKey(entry))).map(deletion),
    ...[...rules.values()].flatMap((group) => ruleSteps(keys, group)),
  ];
}

/** Steps for the rules of one family, priority and table. */
function ruleSteps(keys: ReadonlySet<string>, group: readonly VipRule[]): readonly RoutingStep[] {
  const steps: RoutingStep[] = [];
  let left = group;
  for (const rule of group) {
    if (!keys.has(routingKey(rule)) || !left.includes(rule)) continue;
    const fitting = left.filter((other) => fits(rule, other));
    // Where another one fits first, all go in the kernel's order, so that each is the first that fits its own request.
    // All, because the kernel adds no rule beside one that is the same but for a network the new one leaves out.
    const gone = fitting[0] === rule ? [rule] : fitting;
    const back = gone.filter((other) => !keys.has(routingKey(other)));
    steps.push(...gone.map(deletion), ...back.map((entry) => ({ act: "add", entry }) as const));
    left = [...left.filter((other) => !gone.includes(other)), ...back];
  }
  return steps;
}

/** Whether a request to delete the first rule may delete the second, of the same family, priority and table. */
function fits(asked: VipRule, rule: VipRule): boolean {
  const { from, to, iif, fwmark, fwmask } = asked;
  if (fwmark !== undefined && (fwmark !== rule.fwmark || fwmask !== rule.fwmask)) return false;
  const isAny = (value: string | undefined, there: string | undefined): boolean =>
    value === undefined || value === there;
  return isAny(from, rule.from) && isAny(to, rule.to) && isAny(iif, rule.iif);
}

/**
 * The rules for which the kernel would take a new one, although they are narrower: networks that the new one leaves out are
 * not compared when it is added. The same rule is not among them.
 */
export function narrowerRules(added: VipRule, present: readonly RoutingEntry[]): readonly VipRule[] {
  const text = routingKey(added);
  const isLike = ({ family, priority, table, iif, fwmark, fwmask }: VipRule): boolean =>
    family === added.family &&
    priority === added.priority &&
    table === added.table &&
    iif === added.iif &&
    fwmark === added.fwmark &&
    fwmask === added.fwmask;
  return present.flatMap((entry) =>
    entry.kind === "rule" && isLike(entry) && fits(added, entry) && routingKey(entry) !== text ? entry : [],
  );
}

function deletion(entry: RoutingEntry): RoutingStep {
  return { act: "delete", entry };
}

// Which requests remove routes and rules, on a kernel in memory that takes a request as Linux does: what is left out may be
// anything, and the first entry that fits goes.

import { describe, expect, test } from "vitest";
import { ROUTE } from "../node/fake-routing.ts";
import { type RoutingStep, removalSteps } from "../../../adapters/linux/routing-removal.ts";
import { type RoutingEntry, routingKey, routingText, type VipRule } from "../../../src/base/routing.ts";

const RULE: VipRule = { kind: "rule", family: 4, priority: 1_000, table: 100, from: "10.0.0.0/24" };
const MARKED: VipRule = { ...RULE, fwmark: 1 };
const NARROW: VipRule = { ...MARKED, to: "10.1.0.0/16" };

/** In what a new rule differs from those that are there, besides its networks. */
function marks({ family, priority, table, iif, fwmark, fwmask }: VipRule): string {
  return JSON.stringify([family, priority, table, iif, fwmark, fwmask]);
}

/** Whether the kernel takes the second for what the first would add. */
function isHidden(asked: VipRule, rule: VipRule): boolean {
  const networks = [asked.from ?? rule.from, asked.to ?? rule.to].join();
  return marks(asked) === marks(rule) && networks === [rule.from, rule.to].join();
}

/** What a request names, with the values. */
function named(rule: VipRule): readonly string[] {
  const { fwmark, fwmask = 0xffffffff } = rule;
  return Object.entries({ ...rule, ...(fwmark === undefined ? {} : { fwmask }) }).map((each) => each.join(" "));
}

/** Whether the kernel takes the second for what a request to delete the first means. */
function isFor(asked: RoutingEntry, there: RoutingEntry): boolean {
  if (asked.kind === "rule") return there.kind === "rule" && named(asked).every((name) => named(there).includes(name));
  return there.kind === "route" && routingKey({ ...asked, metric: asked.metric || there.metric }) === routingKey(there);
}

/** What the kernel has after these requests; each has to be granted. */
function afterwards(present: readonly RoutingEntry[], steps: readonly RoutingStep[]): readonly RoutingEntry[] {
  const entries = [...present];
  for (const { act, entry } of steps) {
    const at = entries.findIndex((there) => isFor(entry, there));
    if (act === "delete") {
      expect(at, `${routingText(entry)} is found`).toBeGreaterThanOrEqual(0);
      entries.splice(at, 1);
    } else {
      const inTheWay = entries.filter(
        (there) => entry.kind === "rule" && there.kind === "rule" && isHidden(entry, there),
      );
      expect(inTheWay.map(routingText), `nothing is in the way of ${routingText(entry)}`).toEqual([]);
      entries.push(entry);
    }
  }
  return entries;
}

const keysOf = (entries: readonly RoutingEntry[]): ReadonlySet<string> => new Set(entries.map(routingKey));

function check(unwanted: readonly RoutingEntry[], present: readonly RoutingEntry[]): readonly RoutingStep[] {
  const steps = removalSteps(keysOf(unwanted), present);
  const stays = present.filter((entry) => !keysOf(unwanted).has(routingKey(entry)));
  expect(afterwards(present, steps).map(routingText).toSorted()).toEqual(stays.map(routingText).toSorted());
  return steps;
}

describe("a removal", () => {
  test("asks for nothing that is not there, though the request would fit something else", () => {
    expect(check([RULE, ROUTE], [MARKED, { ...ROUTE, metric: 20 }])).toEqual([]);
  });

  test("asks for what the kernel finds first, and touches nothing else", () => {
    expect(check([RULE], [RULE, MARKED])).toEqual([{ act: "delete", entry: RULE }]);
    expect(check([MARKED], [MARKED, RULE])).toEqual([{ act: "delete", entry: MARKED }]);
  });

  test("takes rules along that the kernel would find first, and puts them back", () => {
    expect(check([RULE], [MARKED, RULE])).toEqual([
      { act: "delete", entry: MARKED },
      { act: "delete", entry: RULE },
      { act: "add", entry: MARKED },
    ]);
  });

  test("puts a rule back before a narrower one that came later: the kernel would refuse it after that", () => {
    check([RULE], [MARKED, RULE, NARROW]);
    check([RULE], [NARROW, RULE]);
  });

  test("names the interface of the route that is there, and not of the one that was set", () => {
    const renamed = { ...ROUTE, interface: "lan0" };
    expect(check([ROUTE], [renamed])).toEqual([{ act: "delete", entry: renamed }]);
  });

  test("leaves what stays, whichever of like rules go and in whichever order they are there", () => {
    const like: readonly VipRule[] = [
      { ...RULE, iif: "eth0" },
      MARKED,
      { ...MARKED, fwmask: 1 },
      RULE,
      { ...RULE, family: 6, from: "::/1" },
      NARROW,
      { ...NARROW, iif: "eth0" },
      { ...MARKED, iif: "eth0" },
    ];
    // The kernel refuses a rule beside one that is the same but for a network the new one leaves out.
    const accepted = (rules: readonly VipRule[]): readonly VipRule[] =>
      rules.reduce<readonly VipRule[]>(
        (there, rule) => (there.some((other) => isHidden(rule, other)) ? there : [...there, rule]),
        [],
      );
    for (const i of like.keys()) {
      const order = accepted([...like.slice(i), ...like.slice(0, i)]);
      for (let mask = 0; mask < 2 ** order.length; mask += 1)
        check(
          order.filter((_, at) => (mask & (1 << at)) !== 0),
          order,
        );
    }
  });
});

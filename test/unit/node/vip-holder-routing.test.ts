// Where routes stand among the steps on the host: after the addresses and before the fence opens; behind the closed fence
// and before the addresses go.

import { expect, test } from "vitest";
import { routingKey, routingText, type VipRoute } from "../../../src/base/routing.ts";
import type { VipPlan } from "../../../src/vip/state.ts";
import { address } from "./fake-host.ts";
import { ROUTE } from "./fake-routing.ts";
import { begin, FIRST_DEADLINE, OPEN_MS, plan } from "./holder.ts";

const SOURCED: VipRoute = { ...ROUTE, ip: "10.8.0.0", source: "10.0.0.1" };
const TEXT = routingText(ROUTE);

function routed(name: string, ip: string, ...routing: readonly VipRoute[]): VipPlan {
  return { ...plan(name, address(ip)), routing };
}

const A = routed("a", "10.0.0.1", ROUTE);
const B = plan("b", address("10.0.0.2"));

test("routes are set between binding and opening, and removed between closing and unbinding", () => {
  const { host, holder } = begin([A, B]);
  holder.gain("a", "b");
  expect(host.news()).toEqual([
    "bind 10.0.0.1,10.0.0.2",
    `add ${TEXT}`,
    `open 10.0.0.1,10.0.0.2 under ${FIRST_DEADLINE} for ${OPEN_MS}`,
    "announce 10.0.0.1",
    "announce 10.0.0.2",
  ]);
  holder.lose("a");
  expect(host.news()).toEqual(["close 10.0.0.1", `remove ${TEXT}`, "unbind 10.0.0.1"]);
});

test("a route that is refused costs its VIP alone, which never answers", () => {
  const { host, holder } = begin([A, B]);
  holder.routing.refused.set(TEXT, "Nexthop has invalid gateway");
  holder.gain("a", "b");
  expect(holder.reports).toEqual([
    `failed a: the kernel refused: ${TEXT}: Nexthop has invalid gateway`,
    "released a: hold-failed",
    "held b",
  ]);
  expect(host.answering()).toEqual(["10.0.0.2/24"]);
});

test("a route that cannot be removed does not keep an address from its release", () => {
  const { holder } = begin([A]);
  holder.gain("a");
  holder.routing.stuck.add(TEXT);
  holder.lose("a");
  expect(holder.reports.at(-1)).toBe("released a: step-down");
});

test("a route that is gone is put back a little later, however often it goes, for a VIP that is held", async () => {
  const { host, holder } = begin([A]);
  holder.gain("a");
  holder.routing.take(ROUTE);
  host.news();
  for (let times = 0; times < 100; times += 1) holder.vips.onRoutingRemoved(routingKey(ROUTE));
  expect(host.news()).toEqual([]);
  await host.timers.advance(200);
  expect(host.news()).toEqual([`add ${TEXT}`]);
  expect(holder.log.messages("warn")).toEqual([`${TEXT} was gone: put back`]);
  holder.vips.onRoutingRemoved(routingKey(ROUTE));
  holder.lose("a");
  host.news();
  holder.vips.onRoutingRemoved(routingKey(ROUTE));
  await host.timers.advance(1_000);
  expect(host.news()).toEqual([]);
});

test("news of a route that is gone and cannot be set again cost the VIP", async () => {
  const { host, holder } = begin([A]);
  holder.gain("a");
  holder.routing.take(ROUTE);
  holder.routing.refused.set(TEXT, "ENETDOWN");
  holder.vips.onRoutingRemoved(routingKey(ROUTE));
  await host.timers.advance(200);
  expect(holder.reports.slice(1)).toEqual([
    `failed a: the kernel refused: ${TEXT}: ENETDOWN`,
    "released a: hold-failed",
  ]);
});

test("a new configuration changes routes in place, and nothing else", () => {
  const { host, holder } = begin([A]);
  holder.gain("a");
  host.news();
  const other = { ...ROUTE, via: "10.0.0.8" };
  holder.plan(routed("a", "10.0.0.1", other));
  expect(host.news().filter((call) => !call.startsWith("protect"))).toEqual([
    `remove ${TEXT}`,
    `add ${routingText(other)}`,
  ]);
  holder.plan(routed("a", "10.0.0.1"));
  expect(holder.routing.texts).toEqual([]);
});

test("a route goes with the configuration that has an address no more, once that is dropped", async () => {
  const both: VipPlan = { ...plan("a", address("10.0.0.1"), address("10.0.0.3")), routing: [ROUTE] };
  const { host, holder } = begin([both]);
  holder.gain("a");
  holder.plan(plan("a", address("10.0.0.1")));
  await host.timers.advance(1);
  expect(holder.routing.texts).toEqual([]);
  expect(holder.phases()).toEqual({ a: "on" });
});

test("the same configuration touches nothing", () => {
  const { host, holder } = begin([A]);
  holder.gain("a");
  host.news();
  holder.plan(A);
  expect(host.news().filter((call) => !call.startsWith("protect"))).toEqual([]);
});

test("a route waits for the address that is its source, and goes before it", () => {
  const { host, holder } = begin([B]);
  holder.gain("b");
  const grown: VipPlan = { ...plan("b", address("10.0.0.2"), address("10.0.0.1")), routing: [SOURCED] };
  holder.vips.plan([grown]);
  expect(holder.routing.texts, "the store has not confirmed the address yet").toEqual([]);
  holder.plan(grown);
  expect(holder.routing.texts).toEqual([routingText(SOURCED)]);
  host.news();
  holder.plan(B);
  const calls = host.news().filter((call) => !call.startsWith("protect"));
  expect(calls).toEqual(["close 10.0.0.1", `remove ${routingText(SOURCED)}`, "unbind 10.0.0.1"]);
});

test("what a former process has left is kept for who may hold it still, and else swept", () => {
  const { holder } = begin([]);
  holder.routing.put(ROUTE);
  holder.routing.put(SOURCED);
  holder.plan(A, B);
  expect(holder.routing.texts, "no configured VIP has the other").toEqual([TEXT]);
  holder.vips.sweep(true);
  expect(holder.routing.texts).toEqual([TEXT]);
  holder.vips.sweep(false, (vip) => vip !== "a");
  expect(holder.routing.texts).toEqual([TEXT]);
  holder.gain("a");
  holder.vips.sweep(false);
  expect(holder.routing.texts).toEqual([TEXT]);
  holder.lose("a");
  holder.routing.put(ROUTE);
  holder.vips.sweep(false);
  expect(holder.routing.texts).toEqual([]);
});

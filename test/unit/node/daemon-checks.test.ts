// What checks do to a daemon's candidacies: sickness, weights, checks that have not looked yet, the start, a restart.

import { expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { instant } from "../../../src/base/time.ts";
import type { CheckState, Verdict } from "../../../src/health/check.ts";
import { initialCheck } from "../../../src/health/machine.ts";
import type { HookEvent } from "../../../src/hooks/event.ts";
import type { MakeChecks } from "../../../src/node/health.ts";
import type { VipCheck } from "../../../src/config/types.ts";
import { BegunDaemon } from "./begun-daemon.ts";
import { TTL_MS, vipConfig } from "./config.ts";
import { address } from "./fake-host.ts";

const NGINX: VipCheck = { check: "nginx", weight: null, reverse: false, numeric: false };
const WEB = vipConfig("web", [address("10.0.0.1")], { checks: [NGINX] });

/** Checks whose verdicts a test gives. */
class FakeChecks {
  private readonly current = new Map<string, CheckState>();
  private tell: (check: string, state: CheckState) => void = () => {};
  planned = 0;

  constructor(verdict: Verdict = "pending") {
    this.put("nginx", verdict);
  }

  readonly make: MakeChecks = ({ onChange }) => {
    this.tell = (check, state) => onChange({ check, what: "verdict", state });
    return { plan: () => void (this.planned += 1), states: () => this.current };
  };

  turn(check: string, verdict: Verdict): void {
    this.tell(check, this.put(check, verdict));
  }

  private put(check: string, verdict: Verdict): CheckState {
    const policy = { intervalMs: 1, timeoutMs: 1, rise: 1, fall: 1, initial: verdict, recover: null };
    const at = instant(0);
    const state = { ...initialCheck(policy, { at, firstAt: at, grid: at }), reason: "HTTP 503" };
    this.current.set(check, state);
    return state;
  }
}

interface Begun {
  readonly begun: BegunDaemon;
  readonly checks: FakeChecks;
  readonly events: HookEvent[];
}

function begin(verdict: Verdict, vip = WEB, options: ConstructorParameters<typeof BegunDaemon>[1] = {}): Begun {
  const checks = new FakeChecks(verdict);
  const events: HookEvent[] = [];
  const tell = (event: HookEvent): void => void events.push(event);
  const begun = new BegunDaemon([vip], { makeChecks: checks.make, tell, ...options });
  begun.daemon.start();
  return { begun, checks, events };
}

const candidacyOf = ({ begun }: Begun): unknown => begun.elector.candidacies.get("web");

test("who has a check that has not looked yet waits for it", () => {
  const world = begin("pending");
  expect(candidacyOf(world)).toMatchObject({ ineligible: { code: "check-pending" }, lastResort: false });
  world.checks.turn("nginx", "ok");
  expect(candidacyOf(world)).toMatchObject({ ineligible: null });
});

test("who falls sick says so, and that it would hold as a last resort, where that is configured", () => {
  const world = begin("ok");
  world.checks.turn("nginx", "failed");
  expect(candidacyOf(world)).toMatchObject({
    ineligible: { code: "check-failed", text: "check failed: nginx: HTTP 503" },
    lastResort: true,
  });
  const strict = begin("ok", { ...WEB, lastResort: "drop" });
  strict.checks.turn("nginx", "failed");
  expect(candidacyOf(strict)).toMatchObject({ lastResort: false });
});

test("what else speaks against a node is no sickness to hold with", () => {
  const world = begin("failed");
  world.begun.host.setLink("eth0", { up: false });
  expect(candidacyOf(world)).toMatchObject({ lastResort: false });
});

test("a weight shifts the priority, and leaves the node eligible", () => {
  const world = begin("ok", { ...WEB, checks: [{ ...NGINX, weight: -30 }] });
  expect(candidacyOf(world)).toMatchObject({ priority: 100, ineligible: null });
  world.checks.turn("nginx", "failed");
  expect(candidacyOf(world)).toMatchObject({ priority: 70, ineligible: null });
});

test("a restart gives nothing up for checks that have not looked yet, and tells of no change that there was not", () => {
  const world = begin("pending", WEB, { adopt: true });
  expect(candidacyOf(world)).toMatchObject({ ineligible: null });
  world.begun.hold("web");
  world.begun.elector.knowsFormer = true;
  world.begun.elector.host.changed();
  expect(candidacyOf(world)).toMatchObject({ ineligible: null });
  expect(world.events.map(({ state }) => state)).toEqual(["MASTER"]);
});

test("after a restart that held nothing, a check that has not looked yet is waited for", () => {
  const world = begin("pending", WEB, { adopt: true });
  world.begun.elector.knowsFormer = true;
  world.begun.elector.host.changed();
  expect(candidacyOf(world)).toMatchObject({ ineligible: { code: "check-pending" } });
});

test("a start waits for its delay, a restart within the lease does not", async () => {
  const world = begin("ok", WEB, { startupDelayMs: 2_000 });
  expect(candidacyOf(world)).toMatchObject({ ineligible: { code: "starting" }, lastResort: false });
  await world.begun.host.timers.advance(2_000);
  expect(candidacyOf(world)).toMatchObject({ ineligible: null });
  expect(candidacyOf(begin("ok", WEB, { startupDelayMs: 2_000, adopt: true }))).toMatchObject({ ineligible: null });
});

test("who falls sick while it holds is held back longer each time, and not for a sickness without the VIP", async () => {
  const world = begin("ok");
  const pauses: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    world.begun.elector.grant("web");
    world.checks.turn("nginx", "failed");
    world.checks.turn("nginx", "ok");
    const [ineligibleReason] = world.begun.daemon.eligibility.of("web");
    expect(ineligibleReason).toMatchObject({ source: "flapping", reason: { code: "check-failed" } });
    pauses.push(Math.round((ineligibleReason?.until ?? 0) - world.begun.host.timers.now()));
    world.begun.elector.tokens.clear();
    await world.begun.host.timers.advance(pauses.at(-1) ?? 0);
    expect(candidacyOf(world)).toMatchObject({ ineligible: null });
  }
  expect(pauses).toEqual([2 * TTL_MS, 4 * TTL_MS, 8 * TTL_MS]);
  world.checks.turn("nginx", "failed");
  world.checks.turn("nginx", "ok");
  expect(world.begun.daemon.eligibility.of("web")).toEqual([]);
});

test("who is outweighed because a check had lowered its priority pre-empts later each time, and is a candidate all along", async () => {
  const world = begin("ok", { ...WEB, preempt: true, checks: [{ ...NGINX, weight: -30 }] });
  const { begun, checks } = world;
  const pauses: number[] = [];
  for (let turn = 0; turn < 3; turn += 1) {
    begun.hold("web");
    checks.turn("nginx", "failed");
    begun.elector.revoke(reason("preempted", "b"), "web");
    checks.turn("nginx", "ok");
    expect(candidacyOf(world)).toMatchObject({ priority: 100, ineligible: null, preempt: false });
    const [shown] = begun.daemon.eligibility.all("web");
    expect(shown).toMatchObject({ source: "preempt-backoff", reason: { code: "outweighed" } });
    pauses.push(Math.round((shown?.until ?? 0) - begun.host.timers.now()));
    await begun.host.timers.advance(pauses.at(-1) ?? 0);
    expect(candidacyOf(world)).toMatchObject({ preempt: true });
  }
  expect(pauses).toEqual([2 * TTL_MS, 4 * TTL_MS, 8 * TTL_MS]);
});

test.each([
  ["to a better node, at its full priority", "ok", "preempted"],
  ["for another reason, while a check has lowered its priority", "failed", "step-down"],
] as const)("who loses a VIP %s may pre-empt at once", (_, verdict, code) => {
  const world = begin("ok", { ...WEB, preempt: true, checks: [{ ...NGINX, weight: -30 }] });
  world.begun.hold("web");
  world.checks.turn("nginx", verdict);
  world.begun.elector.revoke(reason(code, "b"), "web");
  expect(candidacyOf(world)).toMatchObject({ preempt: true });
});

test("a reload plans the checks anew; one that the fence refuses puts the former ones back", () => {
  const world = begin("ok");
  world.begun.reload([WEB]);
  expect(world.checks.planned).toBe(2);
  world.begun.host.refused.add("protect");
  expect(() => world.begun.reload([WEB])).toThrow();
  expect(world.checks.planned).toBe(4);
});

test("a stop is told when the VIP is gone", async () => {
  const world = begin("ok");
  await world.begun.host.timers.advance(2 * TTL_MS);
  world.begun.hold("web");
  world.begun.daemon.stop(() => {});
  world.begun.elector.host.stopped();
  expect(world.events.map(({ state }) => state)).toEqual(["BACKUP", "MASTER", "STOP"]);
  expect(world.begun.host.calls.indexOf("remove")).toBeGreaterThanOrEqual(0);
});

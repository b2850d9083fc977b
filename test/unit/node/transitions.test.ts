// The states of VIPs in keepalived's words: each told once, with its reason, and nothing on the way.

import { expect, test } from "vitest";
import { type Reason, reason } from "../../../src/base/reasons.ts";
import { instant } from "../../../src/base/time.ts";
import type { HookEvent } from "../../../src/hooks/event.ts";
import { Transitions } from "../../../src/node/transitions.ts";
import type { Holding } from "../../../src/vip/state.ts";
import { vipConfig } from "./config.ts";
import { address } from "./fake-host.ts";

const WEB = vipConfig("web", [address("10.0.0.1")]);
const ON: Holding = { phase: "on", addresses: [], deadline: 0, schedule: [] };
const OPENING: Holding = { phase: "opening", addresses: [], deadline: 0 };

class World {
  readonly events: HookEvent[] = [];
  holding: Holding | undefined;
  against: Reason | null = null;
  token = "";
  readonly transitions = new Transitions({
    clock: { now: () => instant(0), wallMs: () => 7 },
    node: "n",
    tell: (event) => void this.events.push(event),
    holdingOf: () => this.holding,
    ineligibleReason: () => this.against,
    tokenOf: () => this.token,
    priorityOf: () => 120,
  });

  look(holding = this.holding, against: Reason | null = this.against): readonly string[] {
    [this.holding, this.against] = [holding, against];
    this.transitions.look([WEB]);
    return this.events.splice(0).map(({ state, previous, reason: why }) => `${previous ?? "-"} ${state} ${why.code}`);
  }
}

test("a node that starts is a candidate; it gains and loses with the elector's reasons", () => {
  const world = new World();
  world.transitions.atRest();
  expect(world.look()).toEqual(["- BACKUP started"]);
  world.transitions.because("web", reason("first-holder"));
  expect(world.look(OPENING)).toEqual([]);
  expect(world.look(ON)).toEqual(["BACKUP MASTER first-holder"]);
  expect(world.look(ON)).toEqual([]);
  world.transitions.because("web", reason("step-down"));
  world.holding = undefined;
  expect(world.look()).toEqual(["MASTER BACKUP step-down"]);
});

test("a node that is sick is in FAULT, and fit again later; one that holds as a last resort stays MASTER", () => {
  const world = new World();
  world.transitions.atRest();
  world.look();
  expect(world.look(undefined, reason("check-failed", "nginx"))).toEqual(["BACKUP FAULT check-failed"]);
  expect(world.look(undefined, null)).toEqual(["FAULT BACKUP fit-again"]);
  world.look(ON);
  expect(world.look(ON, reason("check-failed", "nginx"))).toEqual([]);
});

test("before it is known what a former process held, and before checks have looked, only what is held is told", () => {
  const world = new World();
  expect(world.look()).toEqual([]);
  world.transitions.atRest();
  expect(world.look(undefined, reason("check-pending", "nginx"))).toEqual([]);
  expect(world.look(undefined, reason("starting"))).toEqual(["- BACKUP started"]);
  const restarted = new World();
  expect(restarted.look(ON)).toEqual(["- MASTER started"]);
});

test("a stop is told once, with what came before it, and nothing of the way there", () => {
  const world = new World();
  world.transitions.atRest();
  world.look(ON);
  world.transitions.silence();
  world.holding = undefined;
  expect(world.look()).toEqual([]);
  world.transitions.stop([WEB], reason("shutdown"));
  expect(world.events).toMatchObject([
    { state: "STOP", previous: "MASTER", reason: { code: "shutdown" }, node: "n", addresses: ["10.0.0.1/24"] },
  ]);
});

test("a conflict leaves the state as it is, and is told with who answers", () => {
  const world = new World();
  world.look(ON);
  world.events.length = 0;
  world.token = "41";
  world.transitions.conflict(WEB, "02:00:00:00:00:99");
  expect(world.events).toMatchObject([
    { state: "CONFLICT", previous: "MASTER", token: "41", priority: 120, wallMs: 7 },
  ]);
  expect(world.events.splice(0)[0]?.reason.text).toContain("02:00:00:00:00:99");
  expect(world.look(ON)).toEqual([]);
});

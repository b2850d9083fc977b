// Whole daemons against each other, in the scenarios that people ask about. Who may answer is checked at every instant.

import { afterEach, describe, expect, test } from "vitest";
import { observerWaitMs } from "../../../src/election/lease.ts";
import { LEASE_MS, SimulatedFleet, simVip } from "./simulated-fleet.ts";

const IP = "10.0.1.1";
/** A vacancy that is announced is filled within this. */
const PROMPT_MS = 100;
/** A vacancy that is not is filled within this. */
const LATE_MS = observerWaitMs(LEASE_MS) + 300;

/** So many points of a process' code are tried: all those of a gain, and some more. */
const POINTS = 60;

let fleet: SimulatedFleet;

/** `n1` holds `vip-1` and `vip-2`, `n2` is the other candidate. */
function pair(): SimulatedFleet {
  fleet = new SimulatedFleet({ n1: [simVip(1, 200), simVip(2, 200)], n2: [simVip(1, 100), simVip(2, 100)] });
  fleet.until(() => fleet.isHeldBy("n1", IP, "10.0.2.1"));
  fleet.run(2 * LEASE_MS);
  return fleet;
}

afterEach(() => expect(fleet.broken).toEqual([]));

describe("a daemon that is stopped", () => {
  test("hands all that it holds over at once, and leaves nothing on its host", () => {
    pair();
    fleet.at("n1", (daemon) => daemon.stop());
    expect(fleet.until(() => fleet.isHeldBy("n2", IP, "10.0.2.1"))).toBeLessThan(PROMPT_MS);
    expect(fleet.host("n1").kernel.addresses()).toEqual([]);
    expect(fleet.host("n1").daemon).toBeNull();
  });

  test("while the store is silent leaves within a second, and nothing of it answers", () => {
    pair();
    fleet.network.outage = "silent";
    fleet.at("n1", (daemon) => daemon.stop());
    expect(fleet.until(() => fleet.host("n1").daemon === null)).toBeLessThan(1_000);
    expect(fleet.host("n1").kernel.addresses()).toEqual([]);
    fleet.network.outage = "none";
    expect(fleet.until(() => fleet.isHeldBy("n2", IP, "10.0.2.1"))).toBeLessThan(3 * LATE_MS);
  });

  test("at whatever instruction of a gain ends with nothing bound or open", () => {
    let duringBind = 0;
    for (let point = 1; point <= POINTS; point += 1) {
      pair();
      const { kernel } = fleet.host("n2");
      const { process } = fleet.daemon("n2");
      let stopped = false;
      fleet.at("n1", (daemon) => daemon.daemon.stepDown("vip-1", "n2"));
      process.freeze(point, 30);
      fleet.when(
        () => process.frozen,
        () => {
          if (kernel.addresses().length > 0 && fleet.answering(IP).length === 0) duringBind += 1;
          fleet.at("n2", (daemon) => daemon.stop());
          stopped = true;
        },
      );
      fleet.until(() => stopped && fleet.host("n2").daemon === null);
      expect(kernel.addresses(), `frozen at point ${point}`).toEqual([]);
      fleet.until(() => fleet.isHeldBy("n1", IP, "10.0.2.1"));
      expect(fleet.broken, `frozen at point ${point}`).toEqual([]);
    }
    expect(duringBind, "the process was stopped between binding and opening too").toBeGreaterThan(0);
  });
});

describe("a process that is frozen for longer than its lease", () => {
  test("answers no longer by then, without its help, and does not answer when it thaws", () => {
    pair();
    const { process } = fleet.daemon("n1");
    process.freeze(0, 5 * LEASE_MS);
    expect(fleet.until(() => fleet.answering(IP).length === 0)).toBeLessThan(LEASE_MS);
    expect(fleet.until(() => fleet.isHeldBy("n2", IP, "10.0.2.1"))).toBeLessThan(LATE_MS);
    fleet.until(() => !process.frozen);
    expect(fleet.isHeldBy("n2", IP, "10.0.2.1")).toBe(true);
    // It comes back as a candidate, and is the better one.
    fleet.until(() => fleet.isHeldBy("n1", IP, "10.0.2.1"));
  });

  test("at whatever instruction of a gain opens nothing that is another's by then", () => {
    let moved = 0;
    for (let point = 1; point <= POINTS; point += 1) {
      pair();
      const { process } = fleet.daemon("n2");
      let frozen = false;
      fleet.at("n1", (daemon) => daemon.daemon.stepDown("vip-1", "n2"));
      process.freeze(point, 4 * LEASE_MS);
      fleet.when(
        () => process.frozen,
        () => {
          frozen = true;
          fleet.when(
            () => fleet.isHeldBy("n1", IP) && process.frozen,
            () => (moved += 1),
          );
        },
      );
      fleet.until(() => frozen && !process.frozen);
      fleet.run(LEASE_MS);
      expect(fleet.broken, `frozen at point ${point}`).toEqual([]);
      fleet.until(() => fleet.isHeldBy("n1", IP, "10.0.2.1"), LEASE_MS);
    }
    expect(moved, "the other node took over in between").toBe(POINTS);
  });
});

describe("a daemon that is killed", () => {
  test("and back within its lease moves nothing, and is never silent", () => {
    pair();
    const host = fleet.host("n1");
    const token = fleet.checker.grantOf("vip-1")?.token;
    fleet.daemon("n1").process.kill();
    host.startIn(LEASE_MS / 4, null);
    for (let step = 0; step < 4 * LEASE_MS; step += 1) {
      expect(fleet.answering(IP)).toEqual(["n1"]);
      fleet.run(1);
    }
    expect(fleet.checker.grantOf("vip-1")?.token).toBe(token);
  });

  test("and back with another configuration within its lease releases what it has not any more", () => {
    pair();
    fleet.daemon("n1").process.kill();
    fleet.host("n1").startIn(50, [simVip(2, 200)]);
    fleet.until(() => fleet.isHeldBy("n2", IP));
    expect(fleet.isHeldBy("n1", "10.0.2.1")).toBe(true);
    expect(
      fleet
        .host("n1")
        .kernel.addresses()
        .map(({ ip }) => ip),
    ).toEqual(["10.0.2.1"]);
  });

  test("for good is followed by another one when its lease is over", () => {
    pair();
    fleet.daemon("n1").process.kill();
    const tookMs = fleet.until(() => fleet.isHeldBy("n2", IP, "10.0.2.1"));
    expect(tookMs).toBeGreaterThan(LEASE_MS / 2);
    expect(tookMs).toBeLessThan(LATE_MS);
  });
});

describe("two VIPs on a link that goes down", () => {
  test("move together at once, and come back together", () => {
    pair();
    fleet.host("n1").kernel.setLink("eth0", false);
    expect(fleet.until(() => fleet.isHeldBy("n2", IP, "10.0.2.1"))).toBeLessThan(PROMPT_MS);
    fleet.run(3 * LEASE_MS);
    fleet.host("n1").kernel.setLink("eth0", true);
    fleet.until(() => fleet.isHeldBy("n1", IP, "10.0.2.1"), 2 * LEASE_MS);
  });

  test("stay down everywhere while every link is, and are held again soon after", () => {
    pair();
    for (const name of ["n1", "n2"]) fleet.host(name).kernel.setLink("eth0", false);
    fleet.run(3 * LEASE_MS);
    expect([fleet.answering(IP), fleet.answering("10.0.2.1")]).toEqual([[], []]);
    fleet.host("n2").kernel.setLink("eth0", true);
    expect(fleet.until(() => fleet.isHeldBy("n2", IP, "10.0.2.1"))).toBeLessThan(2 * PROMPT_MS);
  });
});

describe("a kernel", () => {
  test("that will not bind leaves the VIP to others, and is asked again after two leases", () => {
    pair();
    const { kernel } = fleet.host("n1");
    fleet.at("n1", (daemon) => daemon.daemon.stepDown("vip-1", "n2"));
    fleet.until(() => fleet.isHeldBy("n2", IP));
    kernel.refused.add("bind");
    fleet.at("n2", (daemon) => daemon.daemon.stepDown("vip-1", "n1"));
    fleet.until(() => fleet.daemon("n1").daemon.eligibility.of("vip-1").length > 0);
    const failedAt = fleet.world.now;
    fleet.until(() => fleet.isHeldBy("n2", IP), PROMPT_MS);
    kernel.refused.clear();
    fleet.until(() => fleet.isHeldBy("n1", IP));
    expect(fleet.world.now - failedAt).toBeGreaterThan(2 * LEASE_MS);
    expect(fleet.world.now - failedAt).toBeLessThan(4 * LEASE_MS);
  });

  test("that will not close its fence takes the address off, and keeps the VIP until the fence's timeouts have ended", () => {
    pair();
    const { kernel } = fleet.host("n1");
    kernel.refused.add("close");
    fleet.at("n1", (daemon) => daemon.daemon.stepDown("vip-1", "n2"));
    fleet.run(10);
    expect(fleet.answering(IP)).toEqual([]);
    fleet.run(LEASE_MS / 2);
    expect(fleet.isHeldBy("n2", IP)).toBe(false);
    expect(fleet.isHeldBy("n1", "10.0.2.1"), "its other VIP stays where it is").toBe(true);
    fleet.until(() => fleet.isHeldBy("n2", IP), 45 * LEASE_MS);
    expect(fleet.isHeldBy("n1", "10.0.2.1")).toBe(true);
  });
});

describe("a store", () => {
  test.each(["silent", "refuses"] as const)("that is %s ends all holding in time, and then all goes on", (how) => {
    pair();
    fleet.network.outage = how;
    expect(fleet.until(() => fleet.answering(IP).length === 0)).toBeLessThan(LEASE_MS);
    fleet.run(10 * LEASE_MS);
    expect(fleet.answering(IP)).toEqual([]);
    fleet.network.outage = "none";
    fleet.until(() => fleet.isHeldBy("n1", IP, "10.0.2.1"), 3 * LATE_MS);
  });

  test("that only the holder does not reach is no reason for two to answer", () => {
    pair();
    fleet.network.cut.set("n1", "both");
    expect(fleet.until(() => fleet.isHeldBy("n2", IP, "10.0.2.1"))).toBeLessThan(LATE_MS);
    fleet.network.cut.clear();
    fleet.until(() => fleet.isHeldBy("n1", IP, "10.0.2.1"));
  });
});

describe("a configuration that is read again", () => {
  test("without a VIP that is held hands it over at once, and moves no other one", () => {
    pair();
    fleet.at("n1", (daemon) => daemon.reload([simVip(2, 200)]));
    expect(fleet.until(() => fleet.isHeldBy("n2", IP))).toBeLessThan(PROMPT_MS);
    expect(fleet.isHeldBy("n1", "10.0.2.1")).toBe(true);
    expect(
      fleet
        .host("n1")
        .kernel.addresses()
        .map(({ ip }) => ip),
    ).toEqual(["10.0.2.1"]);
  });

  test("with another address for a VIP that is held moves that in place", () => {
    pair();
    const token = fleet.checker.grantOf("vip-1")?.token;
    for (const [name, priority] of [
      ["n1", 200],
      ["n2", 100],
    ] as const)
      fleet.at(name, (daemon) => daemon.reload([simVip(1, priority, [2]), simVip(2, priority)]));
    fleet.until(() => fleet.isHeldBy("n1", "10.0.1.2"), PROMPT_MS);
    expect(fleet.answering(IP)).toEqual([]);
    fleet.run(3 * LEASE_MS);
    expect(fleet.isHeldBy("n1", "10.0.1.2", "10.0.2.1")).toBe(true);
    expect(fleet.checker.grantOf("vip-1")?.token).toBe(token);
  });

  test("with a lower priority has the VIP handed to the better node", () => {
    pair();
    fleet.at("n1", (daemon) => daemon.reload([simVip(1, 50), simVip(2, 200)]));
    fleet.until(() => fleet.isHeldBy("n2", IP), PROMPT_MS);
    expect(fleet.isHeldBy("n1", "10.0.2.1")).toBe(true);
  });
});

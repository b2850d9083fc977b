// The daemon between its elector and its host: how it starts, what it adopts, what it passes on, and how it stops.

import { describe, expect, test } from "vitest";
import { isVipdError } from "../../../src/base/errors.ts";
import { reason } from "../../../src/base/reasons.ts";
import { BegunDaemon, DB, MAIL, WEB } from "./begun-daemon.ts";
import { TTL_MS } from "./config.ts";
import { address } from "./fake-host.ts";

/** How long a daemon that stops waits for its electors, in milliseconds. */
const STOP_MS = 800;

describe("the start", () => {
  test("puts the fence up before the elector is told anything", () => {
    const begun = new BegunDaemon([WEB, DB]);
    begun.daemon.start();
    expect(begun.host.guarded).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(begun.host.news()[0]).toBe("protect 10.0.0.1,10.0.0.2");
    expect(begun.elector.news()).toEqual(["candidacies: web eligible, db eligible", "start"]);
  });

  test("fails when the fence cannot be put up: nobody is told anything", () => {
    const begun = new BegunDaemon();
    begun.host.refused.add("protect");
    expect(() => begun.daemon.start()).toThrow("the host refuses to protect");
    expect(begun.elector.calls).toEqual([]);
  });

  test("fails when an address that a former vipd bound cannot be removed", () => {
    const begun = new BegunDaemon();
    begun.host.put(address("10.0.0.9"));
    begun.host.stuck.add("10.0.0.9");
    let found: unknown;
    try {
      begun.daemon.start();
    } catch (error) {
      found = error;
    }
    expect(isVipdError(found, "kernel") && found.context).toEqual({ ips: ["10.0.0.9"] });
    expect(begun.elector.calls).toEqual([]);
  });

  test("says of a VIP whose link is down or missing that it is not eligible", () => {
    const begun = new BegunDaemon([WEB, MAIL, { ...DB, addresses: [address("10.0.0.2", "eth7")] }]);
    begun.host.setLink("eth1", { up: false });
    begun.daemon.start();
    expect(begun.elector.candidacies.get("mail")?.ineligible).toEqual(reason("link-down", "eth1 is down"));
    expect(begun.elector.candidacies.get("db")?.ineligible).toEqual(reason("link-down", "eth7 is missing"));
    expect(begun.elector.candidacies.get("web")?.ineligible).toBeNull();
  });
});

describe("what is bound at the start", () => {
  /** A host on which a former process, and somebody else, have bound an address each. */
  function started(adopt: boolean): BegunDaemon {
    const begun = new BegunDaemon([WEB, DB], { adopt });
    begun.host.put(address("10.0.0.1"));
    begun.host.put(address("10.0.0.2"), false);
    begun.daemon.start();
    return begun;
  }

  function bound({ host }: BegunDaemon): readonly string[] {
    return host.addresses().map(({ ip }) => ip);
  }

  test("goes, all of it, when nothing is adopted", () => {
    expect(bound(started(false))).toEqual([]);
  });

  test("stays when it is vipd's own and may be adopted; what somebody else bound goes", () => {
    expect(bound(started(true))).toEqual(["10.0.0.1"]);
  });

  test("goes when it is known that the former process holds it no longer", () => {
    const begun = started(true);
    begun.elector.host.changed();
    expect(bound(begun), "not known yet").toEqual(["10.0.0.1"]);
    begun.elector.knowsFormer = true;
    begun.elector.host.changed();
    expect(bound(begun)).toEqual([]);
  });

  test("stays while it is not decided whether it is held", () => {
    const begun = started(true);
    begun.elector.knowsFormer = true;
    begun.elector.undecided.add("web");
    begun.elector.host.changed();
    expect(bound(begun)).toEqual(["10.0.0.1"]);
    begun.elector.undecided.clear();
    begun.elector.host.changed();
    expect(bound(begun)).toEqual([]);
  });

  test("goes when the lease of the former process must be over", async () => {
    const begun = started(true);
    await begun.host.timers.advance(TTL_MS - 1);
    expect(bound(begun)).toEqual(["10.0.0.1"]);
    await begun.host.timers.advance(1);
    expect(bound(begun)).toEqual([]);
  });

  test("goes at once when the elector knows what it was: the address may have been another VIP's, that is released now", () => {
    const begun = started(true);
    begun.elector.undecided.add("db");
    begun.host.put(address("10.0.0.2"));
    begun.elector.host.adopted(new Map([["gone", ["10.0.0.2"]]]));
    expect(bound(begun)).toEqual([]);
    begun.host.put(address("10.0.0.2"));
    begun.elector.host.adopted(new Map([["db", ["10.0.0.2"]]]));
    expect(bound(begun)).toEqual(["10.0.0.2"]);
  });

  test("goes with the election that it was held for, though a reload has given the address to another VIP", () => {
    const begun = started(true);
    begun.elector.undecided.add("web").add("db");
    begun.elector.host.adopted(new Map([["web", ["10.0.0.1"]]]));
    begun.reload([
      { ...WEB, addresses: [address("10.0.0.7")] },
      { ...DB, addresses: DB.addresses.concat(WEB.addresses) },
    ]);
    expect(bound(begun)).toEqual(["10.0.0.1"]);
    begun.elector.undecided.delete("web");
    begun.elector.revoke(reason("address-claimed", "10.0.0.7 is another's"), "web");
    expect(bound(begun)).toEqual([]);
    expect(begun.elector.news()).toContain("released web");
  });

  test("stays when it is held again", () => {
    const begun = started(true);
    begun.elector.grant("web");
    begun.elector.knowsFormer = true;
    begun.elector.host.changed();
    expect(begun.host.answering()).toEqual(["10.0.0.1/24"]);
  });

  test("is looked at once: what somebody binds later is removed by the news of it", () => {
    const begun = started(true);
    begun.elector.knowsFormer = true;
    begun.elector.host.changed();
    const there = begun.host.put(address("10.0.0.2"), false);
    begun.elector.host.changed();
    expect(bound(begun)).toEqual(["10.0.0.2"]);
    begun.host.tell({ kind: "address-added", address: there });
    expect(bound(begun)).toEqual([]);
  });
});

describe("what the elector decides", () => {
  test("a gain is held, and told with its token when it answers", () => {
    const begun = new BegunDaemon().start();
    begun.elector.grant("web", "db");
    expect(begun.host.answering()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
    expect(begun.log.messages("info")).toEqual([
      "became the holder (MASTER): nobody had held it before",
      "became the holder (MASTER): nobody had held it before",
      "answers for the VIP",
      "answers for the VIP",
    ]);
    expect(begun.log.lines.at(-1)?.fields).toEqual({ vip: "db", token: "2" });
  });

  test("an extension lasts as long as the lease, and no longer", async () => {
    const begun = new BegunDaemon().start().hold("web");
    await begun.host.timers.advance(TTL_MS / 2);
    begun.elector.extend();
    await begun.host.timers.advance(TTL_MS - 100);
    expect(begun.host.answering()).toEqual(["10.0.0.1/24"]);
    await begun.host.timers.advance(100);
    expect(begun.host.answering()).toEqual([]);
  });

  test("a loss is performed before the call returns, and answered", () => {
    const begun = new BegunDaemon().start().hold("web", "db");
    begun.elector.revoke(reason("lease-expired"), "web", "db");
    expect(begun.host.answering()).toEqual([]);
    expect(begun.elector.news()).toEqual(["released web,db"]);
    expect(begun.log.messages("warn")).toEqual([
      "lost: the lease expired before a heartbeat was confirmed",
      "lost: the lease expired before a heartbeat was confirmed",
    ]);
  });

  test("a loss that the kernel will not perform is answered only when it has", async () => {
    const begun = new BegunDaemon().start().hold("web");
    begun.host.refused.add("close");
    begun.elector.revoke(reason("step-down"), "web");
    expect(begun.elector.news()).toEqual([]);
    begun.host.refused.clear();
    await begun.host.timers.advance(100);
    expect(begun.elector.news()).toEqual(["released web"]);
  });

  test.each([
    ["warning", "web", { level: "warn", message: "text", fields: { vip: "web" } }],
    ["info", null, { level: "info", message: "text", fields: {} }],
  ] as const)("a note of level %s about %s is logged", (level, election, line) => {
    const begun = new BegunDaemon().start();
    begun.elector.host.note(level, election, "text");
    expect(begun.log.lines).toEqual([line]);
  });

  test("a step-down is the elector's to do or refuse", () => {
    const begun = new BegunDaemon().start().hold("web");
    expect(begun.daemon.stepDown("web", "n2")).toBeUndefined();
    expect(begun.daemon.stepDown("db", null)).toBe("this node does not hold db");
    expect(begun.elector.news()).toEqual(["step down web to n2: step-down", "step down db to anybody: step-down"]);
  });
});

describe("listeners", () => {
  test("are told of changes until they end it", () => {
    const begun = new BegunDaemon().start();
    let told = 0;
    const end = begun.daemon.onChange(() => (told += 1));
    begun.elector.host.changed();
    end();
    begun.elector.host.changed();
    expect([told, begun.changes]).toEqual([1, 2]);
  });

  test("are told when another station answers for a VIP that is held", async () => {
    const begun = new BegunDaemon().start();
    begun.host.answerers.set("10.0.0.1", ["02:00:00:00:00:02"]);
    begun.elector.grant("web");
    await begun.host.timers.advance(0);
    expect(begun.changes).toBe(1);
    expect(begun.log.messages("warn")).toEqual(["somebody else answers for it: 02:00:00:00:00:02"]);
    expect(begun.host.answering(), "that is no reason to give it up").toEqual(["10.0.0.1/24"]);
  });
});

describe("the stop", () => {
  function stopping(): { begun: BegunDaemon; stopped: () => number } {
    const begun = new BegunDaemon().start().hold("web");
    let calls = 0;
    begun.daemon.stop(() => (calls += 1));
    return { begun, stopped: () => calls };
  }

  test("gives everything up, and leaves no trace on the host", async () => {
    const { begun, stopped } = stopping();
    expect(begun.elector.news()).toEqual(["stop"]);
    expect(stopped()).toBe(0);
    begun.elector.revoke(reason("shutdown"), "web");
    begun.host.news();
    begun.elector.host.stopped();
    expect(stopped()).toBe(1);
    expect(begun.host.news()).toEqual([
      "close the monitor",
      "remove",
      "close the packet sockets",
      "release the fence",
      "release the identity",
    ]);
    expect(begun.elector.news()).toEqual(["released web", "close"]);
    expect(begun.host.timers.waiting).toBe(0);
    await begun.host.timers.advance(60_000);
    expect(stopped()).toBe(1);
    expect(begun.log.messages("warn")).toEqual([]);
  });

  test("waits 800 ms at most: then what is bound is removed, and the fence with it", async () => {
    const { begun, stopped } = stopping();
    await begun.host.timers.advance(STOP_MS - 1);
    expect(stopped()).toBe(0);
    await begun.host.timers.advance(1);
    expect(stopped()).toBe(1);
    expect(begun.host.addresses()).toEqual([]);
    expect(begun.log.messages("warn")).toEqual([
      "others were not told of our release in time: they wait until our lease or last advert ends",
      "10.0.0.1 was still bound: removed",
    ]);
    begun.elector.host.stopped();
    expect(stopped()).toBe(1);
  });

  test("keeps the fence around what cannot be removed", async () => {
    const { begun } = stopping();
    begun.host.stuck.add("10.0.0.1");
    await begun.host.timers.advance(STOP_MS);
    expect(begun.host.news()).not.toContain("remove");
    expect(begun.host.guarded).toContain("10.0.0.1");
    expect(begun.host.answering()).toEqual([]);
    expect(begun.log.messages("warn").at(-1)).toBe("could not release all addresses: the fence stays");
  });

  test("ends all that the daemon would still have done", async () => {
    const { begun } = stopping();
    begun.host.unbindable.add("10.0.0.2");
    begun.elector.grant("db");
    begun.host.setLink("eth7", {});
    begun.elector.host.stopped();
    expect(begun.host.timers.waiting).toBe(0);
    begun.host.news();
    begun.elector.news();
    begun.host.setLink("eth0", { up: false });
    begun.elector.host.lose([{ election: "web", token: 1n, reason: reason("session-lost") }]);
    await begun.host.timers.advance(60_000);
    expect(begun.host.news()).toEqual([]);
    expect(begun.elector.news()).toEqual([]);
  });
});

// What the daemon tells its elector of this host: links that fail and come back, holds that fail, and for how long.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { BegunDaemon, DB, MAIL, WEB } from "./begun-daemon.ts";
import { TTL_MS, vipConfig } from "./config.ts";
import { address } from "./fake-host.ts";

/** The first time that a VIP which could not be held is left to others, in milliseconds. */
const BACKOFF_MS = 2 * TTL_MS;

describe("a link", () => {
  test("that goes down makes all its VIPs ineligible at once, and eligible again when it is up", () => {
    const begun = new BegunDaemon([WEB, DB, MAIL]).start();
    begun.host.setLink("eth0", { up: false });
    expect(begun.elector.news()).toEqual(["candidacies: web link-down, db link-down"]);
    expect(begun.daemon.eligibility.of("web")).toMatchObject([
      { source: "link", reason: reason("link-down", "eth0 is down") },
    ]);
    begun.host.setLink("eth0", { up: true });
    expect(begun.elector.news()).toEqual(["candidacies: web eligible, db eligible"]);
  });

  test("that goes away and comes back does the same, and the fence follows it", async () => {
    const begun = new BegunDaemon([WEB, DB, MAIL]).start();
    begun.host.setLink("eth0", null);
    expect(begun.elector.candidacies.get("web")?.ineligible).toEqual(reason("link-down", "eth0 is missing"));
    await begun.host.timers.advance(1_000);
    expect(begun.host.news()).toEqual(["protect 10.0.0.1,10.0.0.2,10.0.1.1"]);
    begun.host.setLink("eth0", { index: 12, up: true });
    await begun.host.timers.advance(1_000);
    expect(begun.elector.candidacies.get("web")?.ineligible).toBeNull();
    expect(begun.host.news()).toEqual(["protect 10.0.0.1,10.0.0.2,10.0.1.1"]);
  });

  test("that says the same again is no news", () => {
    const begun = new BegunDaemon().start();
    begun.host.setLink("eth0", { up: true });
    begun.host.setLink("eth0", { mac: "02:00:00:00:00:99" });
    expect(begun.elector.news()).toEqual([]);
  });

  test("that carries no VIP changes nothing", () => {
    const begun = new BegunDaemon().start();
    begun.host.setLink("docker0", { up: false });
    expect(begun.elector.news()).toEqual([]);
  });

  test("is looked at again when the kernel has dropped news", () => {
    const begun = new BegunDaemon().start();
    begun.host.linkTable.delete("eth1");
    begun.host.tell({ kind: "overrun" });
    expect(begun.elector.news()).toEqual(["candidacies: mail link-down"]);
  });

  test("of two of a VIP is enough to make it ineligible", () => {
    const both = vipConfig("both", [address("10.0.0.1"), address("10.0.1.1", "eth1")]);
    const begun = new BegunDaemon([both]).start();
    begun.host.setLink("eth0", { up: false });
    begun.host.setLink("eth1", { up: false });
    begun.host.setLink("eth0", { up: true });
    expect(begun.elector.candidacies.get("both")?.ineligible).toEqual(reason("link-down", "eth1 is down"));
  });

  test("that is removed with the addresses that are held on it costs them, and others nothing", async () => {
    const begun = new BegunDaemon([WEB, MAIL]).start().hold("web", "mail");
    begun.host.setLink("eth0", null);
    expect(begun.elector.news()).toEqual(["candidacies: web hold-failed", "released web"]);
    expect(begun.daemon.eligibility.of("web").map(({ reason: why }) => why.text)).toEqual([
      "the kernel refused: there is no interface eth0",
      "eth0 is missing",
    ]);
    expect(begun.host.answering()).toEqual(["10.0.1.1/24"]);
    begun.host.setLink("eth0", {});
    expect(begun.elector.candidacies.get("web")?.ineligible?.code).toBe("hold-failed");
    await begun.host.timers.advance(BACKOFF_MS);
    expect(begun.elector.candidacies.get("web")?.ineligible).toBeNull();
  });

  test("that goes down under a VIP that is held leaves it to the elector to take it away", () => {
    const begun = new BegunDaemon().start().hold("web");
    begun.host.setLink("eth0", { up: false });
    expect(begun.host.addresses().map(({ ip }) => ip)).toEqual(["10.0.0.1"]);
    begun.elector.revoke(reason("link-down", "eth0 is down"), "web");
    expect(begun.host.addresses()).toEqual([]);
  });
});

describe("a VIP that the kernel would not hold", () => {
  test("is left to others for two leases: that is told before it is reported as released", async () => {
    const begun = new BegunDaemon().start();
    begun.host.unbindable.add("10.0.0.1");
    begun.elector.grant("web");
    expect(begun.elector.news()).toEqual(["candidacies: web hold-failed", "released web"]);
    begun.host.unbindable.clear();
    await begun.host.timers.advance(BACKOFF_MS - 1);
    expect(begun.elector.news()).toEqual([]);
    await begun.host.timers.advance(1);
    expect(begun.elector.news()).toEqual(["candidacies: web eligible"]);
    expect(begun.daemon.eligibility.of("web")).toEqual([]);
  });

  test("again, is left to others for twice as long", async () => {
    const begun = new BegunDaemon().start();
    begun.host.unbindable.add("10.0.0.1");
    begun.elector.grant("web");
    await begun.host.timers.advance(BACKOFF_MS);
    begun.elector.news();
    begun.elector.grant("web");
    await begun.host.timers.advance(2 * BACKOFF_MS - 1);
    expect(begun.elector.news()).toEqual(["candidacies: web hold-failed", "released web"]);
    await begun.host.timers.advance(1);
    expect(begun.elector.news()).toEqual(["candidacies: web eligible"]);
  });

  test("after it has held it for more than ten leases, begins with two leases again", async () => {
    const begun = new BegunDaemon().start();
    begun.host.unbindable.add("10.0.0.1");
    begun.elector.grant("web");
    await begun.host.timers.advance(BACKOFF_MS);
    begun.host.unbindable.clear();
    begun.elector.grant("web");
    for (let heartbeat = 0; heartbeat < 31; heartbeat += 1) {
      await begun.host.timers.advance(TTL_MS / 3);
      begun.elector.extend();
    }
    begun.elector.news();
    begun.host.refused.add("open");
    begun.elector.extend();
    await begun.host.timers.advance(BACKOFF_MS);
    expect(begun.elector.news()).toEqual(["candidacies: web hold-failed", "released web", "candidacies: web eligible"]);
  });

  test("does not keep another one from being held", () => {
    const begun = new BegunDaemon().start();
    begun.host.unbindable.add("10.0.0.1");
    begun.elector.grant("web", "db");
    expect(begun.host.answering()).toEqual(["10.0.0.2/24"]);
    expect(begun.elector.candidacies.get("db")?.ineligible).toBeNull();
    expect(begun.elector.candidacies.get("web")?.lastResort, "what the kernel refuses, nobody can hold").toBe(false);
  });

  test("stays ineligible by its link when the time is over", async () => {
    const begun = new BegunDaemon().start();
    begun.host.unbindable.add("10.0.0.1");
    begun.elector.grant("web");
    begun.host.setLink("eth0", { up: false });
    await begun.host.timers.advance(BACKOFF_MS);
    expect(begun.elector.candidacies.get("web")?.ineligible).toEqual(reason("link-down", "eth0 is down"));
  });

  test("was not extended in time, since the process was frozen: all that was held is left to others", () => {
    const begun = new BegunDaemon().start().hold("web", "db");
    begun.host.tooLate = 3;
    begun.elector.extend();
    expect(begun.elector.news()).toEqual(["candidacies: web too-slow", "candidacies: db too-slow", "released web,db"]);
    expect(begun.host.answering()).toEqual([]);
    // Where there is nobody else, a host that runs again is better than none.
    const { candidacies } = begun.elector;
    expect(["web", "db"].map((vip) => candidacies.get(vip)?.lastResort)).toEqual([true, true]);
  });

  test("was too slow, and has another reason since: that one is told, for VRRP goes on despite the first", () => {
    const begun = new BegunDaemon().start().hold("web", "db");
    begun.host.tooLate = 3;
    begun.elector.extend();
    begun.host.setLink("eth0", { up: false });
    const { candidacies } = begun.elector;
    expect(candidacies.get("web")).toMatchObject({
      ineligible: reason("link-down", "eth0 is down"),
      lastResort: false,
    });
    begun.host.setLink("eth0", { up: true });
    expect(candidacies.get("web")).toMatchObject({ ineligible: { code: "too-slow" }, lastResort: true });
  });
});

describe("two VIPs that become ineligible, and eligible again, each by its own source", () => {
  test("are told each for itself, and never more than what has changed", async () => {
    const begun = new BegunDaemon([WEB, MAIL]).start();
    begun.host.unbindable.add("10.0.0.1");
    begun.elector.grant("web");
    await begun.host.timers.advance(1_000);
    begun.host.setLink("eth1", { up: false });
    await begun.host.timers.advance(1_000);
    begun.host.setLink("eth1", { up: true });
    await begun.host.timers.advance(BACKOFF_MS - 2_000);
    expect(begun.elector.news()).toEqual([
      "candidacies: web hold-failed",
      "released web",
      "candidacies: mail link-down",
      "candidacies: mail eligible",
      "candidacies: web eligible",
    ]);
  });
});

// A new configuration for a daemon that runs: what is added, changed and removed, held or not.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import type { VipConfig } from "../../../src/config/types.ts";
import { BegunDaemon, DB, MAIL, WEB } from "./begun-daemon.ts";
import { vipConfig } from "./config.ts";
import { address } from "./fake-host.ts";

const GONE = reason("unconfigured");

describe("a VIP that is added", () => {
  test("is guarded, and the elector told, of it alone", () => {
    const begun = new BegunDaemon([WEB]).start();
    begun.reload([WEB, DB]);
    expect(begun.host.guarded).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(begun.elector.news()).toEqual(["candidacies: db eligible"]);
    expect(begun.daemon.running.vips).toEqual([WEB, DB]);
  });

  test("on a link that is down is not eligible", () => {
    const begun = new BegunDaemon([WEB]).start();
    begun.host.setLink("eth1", { up: false });
    begun.reload([WEB, MAIL]);
    expect(begun.elector.news()).toEqual(["candidacies: mail link-down"]);
  });

  test("with an address that somebody has bound here: that goes when the daemon hears of it again", () => {
    const begun = new BegunDaemon([WEB]).start();
    begun.host.put(address("10.0.0.2"), false);
    begun.reload([WEB, DB]);
    begun.host.tell({ kind: "overrun" });
    expect(begun.host.addresses()).toEqual([]);
  });
});

describe("a VIP that is removed", () => {
  test("is withdrawn, and needs no guard when it was not held", () => {
    const begun = new BegunDaemon([WEB, DB]).start();
    begun.reload([DB]);
    expect(begun.elector.news()).toEqual(["candidacies: web none"]);
    expect(begun.host.guarded).toEqual(["10.0.0.2"]);
  });

  test("and was held, is guarded until the elector has taken it away and it is released", () => {
    const begun = new BegunDaemon([WEB, DB]).start().hold("web", "db");
    begun.reload([DB]);
    expect(begun.host.guarded.toSorted()).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(begun.host.answering()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
    begun.elector.revoke(GONE, "web");
    expect(begun.host.guarded).toEqual(["10.0.0.2"]);
    expect(begun.host.addresses().map(({ ip }) => ip)).toEqual(["10.0.0.2"]);
    expect(begun.elector.news()).toEqual(["candidacies: web none", "released web"]);
  });

  test("and comes back, is as new: what spoke against it before is forgotten", () => {
    const begun = new BegunDaemon([WEB, DB]).start();
    begun.host.unbindable.add("10.0.0.1");
    begun.elector.grant("web");
    begun.reload([DB]);
    expect(begun.daemon.eligibility.of("web")).toEqual([]);
    begun.elector.news();
    begun.reload([WEB, DB]);
    expect(begun.elector.news()).toEqual(["candidacies: web eligible"]);
  });

  test("and comes back as it was, is told again", () => {
    const begun = new BegunDaemon([WEB, DB]).start();
    begun.reload([DB]);
    begun.reload([WEB, DB]);
    expect(begun.elector.news()).toEqual(["candidacies: web none", "candidacies: web eligible"]);
  });

  test("and whose address the kernel will not close, stays guarded until it does", async () => {
    const begun = new BegunDaemon([WEB, DB]).start().hold("web");
    begun.host.refused.add("close");
    begun.reload([DB]);
    begun.elector.revoke(GONE, "web");
    expect(begun.host.guarded.toSorted()).toEqual(["10.0.0.1", "10.0.0.2"]);
    begun.host.refused.clear();
    await begun.host.timers.advance(100);
    expect(begun.host.guarded).toEqual(["10.0.0.2"]);
  });
});

describe("a VIP that is changed", () => {
  test("is told with its new priority, and moves nothing on this host", () => {
    const begun = new BegunDaemon([WEB]).start().hold("web");
    begun.reload([{ ...WEB, priority: 200 }]);
    expect(begun.elector.candidacies.get("web")?.priority).toBe(200);
    expect(begun.host.answering()).toEqual(["10.0.0.1/24"]);
    expect(begun.host.news().filter((call) => !call.startsWith("protect"))).toEqual([]);
  });

  test("is told with its new addresses, and answers for them while it is held", () => {
    const begun = new BegunDaemon([WEB]).start().hold("web");
    begun.reload([vipConfig("web", [address("10.0.0.7")])]);
    expect(begun.host.answering()).toEqual(["10.0.0.7/24"]);
    expect(begun.host.guarded).toEqual(["10.0.0.7"]);
    expect(begun.elector.candidacies.get("web")?.addresses).toEqual(["10.0.0.7/24"]);
  });

  test("while the kernel will not release it, publishes what is still on the host, until it is not", async () => {
    const begun = new BegunDaemon([WEB]).start().hold("web");
    begun.host.refused.add("close");
    begun.elector.revoke(reason("step-down"), "web");
    begun.reload([vipConfig("web", [address("10.0.0.7")])]);
    expect(begun.elector.candidacies.get("web")?.addresses).toEqual(["10.0.0.7/24", "10.0.0.1/24"]);
    begun.host.refused.clear();
    await begun.host.timers.advance(100);
    expect(begun.elector.candidacies.get("web")?.addresses).toEqual(["10.0.0.7/24"]);
  });

  test("to a link that is down is not eligible any more", () => {
    const begun = new BegunDaemon([WEB]).start();
    begun.host.setLink("eth1", { up: false });
    begun.reload([vipConfig("web", [address("10.0.0.1", "eth1")])]);
    expect(begun.elector.news()).toEqual(["candidacies: web link-down"]);
  });

  test("and cannot be held so, is lost and left to others", () => {
    const begun = new BegunDaemon([WEB]).start().hold("web");
    begun.host.unbindable.add("10.0.0.7");
    begun.reload([vipConfig("web", [address("10.0.0.1"), address("10.0.0.7")])]);
    expect(begun.host.addresses()).toEqual([]);
    expect(begun.elector.candidacies.get("web")?.ineligible?.code).toBe("hold-failed");
    expect(begun.elector.news()).toContain("released web");
  });
});

describe("a thousand VIPs that are held, each with one address of two changed", () => {
  const COUNT = 1_100;
  const of = (net: number): readonly VipConfig[] =>
    Array.from({ length: COUNT }, (_, i) =>
      vipConfig(`v${i}`, [address(`10.1.${i >> 8}.${i & 255}`), address(`10.${net}.${i >> 8}.${i & 255}`)]),
    );

  test("publish an address for as long as it is on the host, and answer for the others all the while", async () => {
    const begun = new BegunDaemon(of(2)).start().hold(...of(2).map(({ name }) => name));
    const publishesAll = (): boolean => {
      const published = new Set([...begun.elector.candidacies.values()].flatMap(({ addresses }) => addresses));
      return begun.host.addresses().every(({ ip, prefix }) => published.has(`${ip}/${prefix}`));
    };
    const stays = (): number => begun.host.answering().filter((cidr) => cidr.startsWith("10.1.")).length;
    begun.reload(of(3));
    expect(
      begun.host.addresses().some(({ ip }) => ip.startsWith("10.2.")),
      "not all at once",
    ).toBe(true);
    for (let i = 0; i < 20; i += 1) {
      expect(publishesAll()).toBe(true);
      expect(stays()).toBe(COUNT);
      await begun.host.timers.advance(5);
    }
    expect(begun.host.answering().filter((cidr) => cidr.startsWith("10.3."))).toHaveLength(COUNT);
    expect(begun.host.answering()).toHaveLength(2 * COUNT);
    expect(begun.elector.addressesOf("v1099")).toEqual(["10.1.4.75", "10.3.4.75"]);
    expect(begun.host.guarded).toHaveLength(2 * COUNT);
    expect(begun.elector.calls.filter((call) => call.startsWith("released"))).toEqual([]);
  });
});

describe("a configuration", () => {
  test("that is the same tells the elector nothing", () => {
    const begun = new BegunDaemon([WEB, DB]).start().hold("web");
    begun.reload([WEB, DB]);
    expect(begun.elector.news()).toEqual([]);
    expect(begun.host.answering()).toEqual(["10.0.0.1/24"]);
  });

  test("that the fence cannot follow is refused: the running one stays in force", () => {
    const begun = new BegunDaemon([WEB]).start().hold("web");
    begun.host.refused.add("protect");
    expect(() => begun.reload([DB])).toThrow("the host refuses to protect");
    expect(begun.daemon.running.vips).toEqual([WEB]);
    expect(begun.host.answering()).toEqual(["10.0.0.1/24"]);
    expect(begun.elector.news()).toEqual([]);
  });
});

// A VIP that is the host's own address: it is not held, not fenced, and not removed; the other VIPs are served. One that
// came while vipd guarded it is not held and not removed either, and stays fenced.

import { describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import type { BoundAddress } from "../../../src/ports/host.ts";
import { BegunDaemon, DB, WEB } from "./begun-daemon.ts";
import { address } from "./fake-host.ts";

const CAME = reason(
  "foreign-address",
  "10.0.0.1/24 was bound on eth0 by something else while vipd guarded it: it stays fenced; to end that, run: ip address delete 10.0.0.1/24 dev eth0",
);
const OWN = reason("own-address", "10.0.0.1 is this host's own address (10.0.0.1/24 on eth0), and no VIP");

/** Puts the primary address of eth0's network there. */
function putOwn({ host }: BegunDaemon): BoundAddress {
  return host.put(address("10.0.0.1"), false, { secondary: false });
}

function started(vips = [WEB, DB]): BegunDaemon {
  const begun = new BegunDaemon(vips);
  putOwn(begun);
  return begun;
}

describe("at the start", () => {
  test("it is left out of everything, and told as an error; the others are served", () => {
    const begun = started();
    begun.daemon.start();
    expect(begun.host.guarded).toEqual(["10.0.0.2"]);
    expect(begun.elector.news()).toEqual(["candidacies: web own-address, db eligible", "start"]);
    expect(begun.daemon.eligibility.of("web")).toMatchObject([{ source: "address", reason: OWN }]);
    begun.hold("db");
    expect(begun.host.answering()).toEqual(["10.0.0.2/24"]);
    expect(begun.host.addresses().map(({ ip }) => ip)).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(begun.log.lines.find(({ level }) => level === "error")?.message).toBe(
      `cannot hold web for now: ${OWN.text}`,
    );
  });

  test("what another program left beside it goes as before", () => {
    const begun = new BegunDaemon([WEB, DB]);
    begun.host.put(address("10.0.0.2"), false);
    begun.daemon.start();
    expect(begun.host.addresses()).toEqual([]);
    expect(begun.elector.news()).toEqual(["candidacies: web eligible, db eligible", "start"]);
  });
});

describe("while the daemon runs", () => {
  test("somebody binds it: it stays fenced, it is not removed, and not held", () => {
    const begun = new BegunDaemon([WEB, DB]).start();
    begun.host.tell({ kind: "address-added", address: putOwn(begun) });
    expect(begun.host.guarded.toSorted()).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(begun.elector.news()).toEqual(["candidacies: web foreign-address"]);
    expect(begun.daemon.eligibility.of("web")).toMatchObject([{ source: "address", reason: CAME }]);
    expect(begun.host.news().filter((call) => !call.startsWith("protect"))).toEqual(["close 10.0.0.1"]);
    expect(begun.host.addresses().map(({ ip }) => ip)).toEqual(["10.0.0.1"]);
  });

  test("what somebody bound and removes again is a VIP as before", () => {
    const begun = new BegunDaemon([WEB, DB]).start();
    const came = putOwn(begun);
    begun.host.tell({ kind: "address-added", address: came });
    begun.host.unbind([came]);
    begun.host.tell({ kind: "address-removed", address: came });
    expect(begun.elector.news()).toEqual(["candidacies: web foreign-address", "candidacies: web eligible"]);
    begun.hold("web");
    expect(begun.host.answering()).toEqual(["10.0.0.1/24"]);
  });

  test("what somebody bound stays fenced by the next process, and when this one stops", () => {
    const begun = new BegunDaemon([WEB, DB]);
    begun.host.guarded = ["10.0.0.1", "10.0.0.2"];
    putOwn(begun);
    begun.start();
    expect(begun.host.guarded.toSorted()).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(begun.daemon.eligibility.of("web")).toMatchObject([{ source: "address", reason: CAME }]);
    begun.daemon.stop(() => {});
    begun.elector.host.stopped();
    expect(begun.host.calls).toContain("release the fence");
    expect(begun.host.calls).not.toContain("remove");
    expect(begun.host.addresses().map(({ ip }) => ip)).toEqual(["10.0.0.1"]);
    expect(begun.host.guarded).toContain("10.0.0.1");
  });

  test("it is not removed either when the fence cannot follow", () => {
    const begun = new BegunDaemon([WEB, DB]).start();
    begun.host.refused.add("protect");
    begun.host.tell({ kind: "address-added", address: putOwn(begun) });
    expect(begun.host.addresses().map(({ ip }) => ip)).toEqual(["10.0.0.1"]);
    expect(begun.log.lines.map(({ message }) => message)).toContain(
      "the fence cannot follow this host's addresses: the host refuses to protect",
    );
  });

  test("the host loses it: it is a VIP as others", () => {
    const begun = started().start();
    const own = begun.host.addresses()[0];
    begun.host.unbind([address("10.0.0.1")]);
    if (own !== undefined) begun.host.tell({ kind: "address-removed", address: own });
    expect(begun.host.guarded).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(begun.elector.news()).toEqual(["candidacies: web eligible"]);
  });

  test("news that the kernel dropped are made up for", () => {
    const begun = new BegunDaemon([WEB, DB]).start();
    putOwn(begun);
    begun.host.tell({ kind: "overrun" });
    expect(begun.elector.news()).toEqual(["candidacies: web foreign-address"]);
    expect(begun.host.addresses().map(({ ip }) => ip)).toEqual(["10.0.0.1"]);
  });

  test("of a VIP that is held, it counts once that is released", () => {
    const begun = new BegunDaemon([WEB, DB]).start().hold("web", "db");
    const added = begun.host.put(address("10.0.0.1", "eth1"), false, { secondary: false });
    begun.host.tell({ kind: "address-added", address: added });
    expect(begun.elector.news()).toEqual([]);
    expect(begun.host.answering()).toContain("10.0.0.1/24");
    begun.elector.revoke(reason("step-down"), "web");
    expect(begun.host.guarded.toSorted()).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(begun.host.addresses().filter(({ ip }) => ip === "10.0.0.1")).toEqual([added]);
    expect(begun.elector.candidacies.get("web")?.ineligible?.code).toBe("foreign-address");
  });

  test("a new configuration may name it, and another may take it out", () => {
    const begun = started([DB]).start();
    begun.reload([WEB, DB]);
    expect(begun.host.guarded).toEqual(["10.0.0.2"]);
    expect(begun.elector.news()).toEqual(["candidacies: web own-address"]);
    begun.reload([{ ...WEB, addresses: [address("10.0.0.7")] }, DB]);
    expect(begun.host.guarded).toEqual(["10.0.0.7", "10.0.0.2"]);
    expect(begun.elector.candidacies.get("web")?.ineligible).toBeNull();
  });
});

test("a link that is missing at the start is told, in one line for all its VIPs", () => {
  const begun = new BegunDaemon([
    { ...WEB, addresses: [address("10.0.0.1", "eth7")] },
    { ...DB, addresses: [address("10.0.0.2", "eth7")] },
  ]);
  begun.daemon.start();
  expect(begun.log.lines.filter(({ level }) => level === "warn").map(({ message }) => message)).toEqual([
    "cannot hold web, db for now: eth7 is missing",
  ]);
});

test("a VIP of which the host is a real server by hand is neither held, fenced nor removed, until it is taken down", () => {
  const begun = new BegunDaemon([WEB, DB]);
  const served = begun.host.put({ ...address("10.0.0.1"), prefix: 32, interface: "lo" }, false, { served: true });
  begun.daemon.start();
  expect(begun.host.guarded).toEqual(["10.0.0.2"]);
  expect(begun.elector.news()).toEqual(["candidacies: web real-server, db eligible", "start"]);
  expect(begun.daemon.eligibility.of("web")[0]?.reason.text).toBe(
    "this host is a real server of 10.0.0.1, which is on lo, and must never answer for it; to end that, run: vipctl realserver down 10.0.0.1",
  );
  begun.host.unbind([served]);
  begun.host.tell({ kind: "address-removed", address: served });
  expect(begun.host.guarded.toSorted()).toEqual(["10.0.0.1", "10.0.0.2"]);
  expect(begun.elector.news()).toEqual(["candidacies: web eligible"]);
});

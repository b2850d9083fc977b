// What the holder reports to the daemon, and what it makes of news from the kernel and of answers from the wire.

import { describe, expect, test } from "vitest";
import { settlePromises } from "../runtime/virtual-timers.ts";
import { address } from "./fake-host.ts";
import { begin } from "./holder.ts";

describe("announcements and probes", () => {
  test("an announcement that fails costs the VIP", () => {
    const { host, holder } = begin();
    host.refused.add("announce");
    holder.gain("a");
    expect(holder.phases()).toEqual({});
    expect(holder.reports).toContain("failed a: the kernel refused: the host refuses to announce");
  });

  test("an announcement that does not leave the host is a matter for debugging", () => {
    const { host, holder } = begin();
    host.sends = false;
    holder.gain("a");
    expect(holder.phases()).toEqual({ a: "on" });
    expect(holder.log.messages("debug")).toEqual(["the announcement did not leave this host"]);
  });

  test("another station that answers is reported, and no more than that", async () => {
    const { host, holder } = begin();
    host.answerers.set("10.0.0.1", ["02:00:00:00:00:02"]);
    holder.gain("a");
    await settlePromises();
    expect(holder.reports).toEqual(["held a", "conflict a: 02:00:00:00:00:02"]);
    expect(holder.phases()).toEqual({ a: "on" });
  });

  test("an answer that comes when the VIP is lost is none", async () => {
    const { host, holder } = begin();
    host.answerers.set("10.0.0.1", ["02:00:00:00:00:02"]);
    holder.gain("a");
    holder.lose("a");
    await settlePromises();
    expect(holder.reports).toEqual(["held a", "released a: step-down"]);
  });
});

describe("reports", () => {
  test("come when all events of the host itself are dealt with", () => {
    const { holder } = begin();
    const order: string[] = [];
    holder.onReport = (report) => order.push(`${report} ${JSON.stringify(holder.phases())}`);
    holder.gain("a");
    expect(order).toEqual(['held a {"a":"on"}']);
  });

  test("of what a report leads to come after it, at once", () => {
    const { holder } = begin();
    holder.onReport = (report) => {
      if (!report.startsWith("released a")) return;
      holder.gain("b");
      holder.reports.push("the report of a has been dealt with");
    };
    holder.gain("a");
    holder.lose("a");
    expect(holder.reports).toEqual([
      "held a",
      "released a: step-down",
      "held b",
      "the report of a has been dealt with",
    ]);
  });

  test("do not come any more when it is closed", async () => {
    const { host, holder } = begin();
    host.answerers.set("10.0.0.1", ["02:00:00:00:00:02"]);
    holder.gain("a");
    host.news();
    holder.vips.close();
    holder.lose("a");
    await host.timers.advance(60_000);
    expect(host.news()).toEqual([]);
    expect(holder.reports).toEqual(["held a"]);
    expect(host.timers.waiting).toBe(0);
  });
});

describe("news from the kernel", () => {
  test("a refreshed lifetime of an own address is none", () => {
    const { host, holder } = begin();
    holder.gain("a");
    host.news();
    holder.vips.onHostEvent({ kind: "address-added", address: host.put(address("10.0.0.1")) });
    expect(host.news()).toEqual([]);
  });

  test("an address that somebody bound, of a VIP that is not held, is closed and removed", () => {
    const { host, holder } = begin();
    const there = host.put(address("10.0.0.1"), false);
    holder.vips.onHostEvent({ kind: "address-added", address: there });
    expect(host.news()).toEqual(["close 10.0.0.1", "unbind 10.0.0.1"]);
    expect(holder.log.messages("warn")).toEqual([
      "10.0.0.1 was bound here although this node does not hold it: removed",
    ]);
  });

  test("an address that somebody bound with another prefix is removed with that one", () => {
    const { host, holder } = begin();
    const there = host.put(address("10.0.0.1", "eth0", 32), false);
    holder.vips.onHostEvent({ kind: "address-added", address: there });
    expect(host.addresses()).toEqual([]);
  });

  test("a refresh that is heard of after the removal is none", () => {
    const { host, holder } = begin();
    holder.gain("a");
    const there = host.addresses()[0];
    if (there === undefined) throw new Error("the VIP is bound");
    holder.lose("a");
    host.news();
    holder.vips.onHostEvent({ kind: "address-added", address: there });
    expect(host.news()).toEqual([]);
  });

  test("an address that somebody removed is bound again", () => {
    const { host, holder } = begin();
    holder.gain("a");
    host.unbind([address("10.0.0.1")]);
    host.news();
    const gone = { ...address("10.0.0.1"), ours: true, keepalived: false, permanent: false, secondary: true };
    holder.vips.onHostEvent({ kind: "address-removed", address: gone });
    expect(host.news()).toEqual(["bind 10.0.0.1", "announce 10.0.0.1"]);
    expect(host.answering()).toEqual(["10.0.0.1/24"]);
  });

  test("an address that this process removed for another one of the same VIP is blamed on nobody", async () => {
    const { host, holder } = begin();
    holder.gain("a");
    const gone = host.addresses()[0];
    if (gone === undefined) throw new Error("the VIP is bound");
    holder.vips.plan([
      {
        name: "a",
        addresses: [address("10.0.0.1", "eth0", 25)],
        announce: { burst: 1, repeatAfterMs: 0, refreshMs: 0 },
      },
    ]);
    expect(host.answering()).toEqual(["10.0.0.1/25"]);
    host.news();
    holder.vips.onHostEvent({ kind: "address-removed", address: gone });
    expect(host.news()).toEqual([]);
    expect(holder.log.messages("warn")).toEqual([]);
    holder.vips.onHostEvent({ kind: "address-removed", address: { ...gone, prefix: 25 } });
    expect(holder.log.messages("warn")).toEqual(["somebody removed 10.0.0.1 from eth0: put back"]);
  });

  test("news of an own removal that never came excuse nobody later", async () => {
    const { host, holder } = begin();
    holder.gain("a");
    const there = host.addresses()[0];
    if (there === undefined) throw new Error("the VIP is bound");
    holder.lose("a");
    await host.timers.advance(10_000);
    holder.gain("a");
    host.news();
    host.unbind([there]);
    holder.vips.onHostEvent({ kind: "address-removed", address: there });
    expect(host.answering()).toEqual(["10.0.0.1/24"]);
    expect(holder.log.messages("warn")).toEqual(["somebody removed 10.0.0.1 from eth0: put back"]);
  });

  test("a link that comes up has its VIPs announced; one that goes down or away does not", () => {
    const { host, holder } = begin();
    holder.gain("a");
    host.news();
    const [found] = host.links();
    if (found === undefined) throw new Error("the host has a link");
    holder.vips.onHostEvent({ kind: "link-changed", link: { ...found, up: false } });
    holder.vips.onHostEvent({ kind: "link-removed", name: found.name });
    expect(host.news()).toEqual([]);
    holder.vips.onHostEvent({ kind: "link-changed", link: found });
    expect(host.news()).toEqual(["announce 10.0.0.1"]);
  });

  test("when the kernel has dropped some, everything is compared", () => {
    const { host, holder } = begin();
    holder.gain("a");
    host.put(address("10.0.0.2"), false);
    host.news();
    holder.vips.onHostEvent({ kind: "overrun" });
    expect(host.news()).toEqual(["close 10.0.0.2", "unbind 10.0.0.2", "bind 10.0.0.1"]);
  });
});

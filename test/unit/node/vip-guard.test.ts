// What the fence is put around, and what becomes of addresses that are bound here and not held: at the start, by a new
// configuration, and at the end.

import { describe, expect, test } from "vitest";
import type { VipAddress } from "../../../src/base/vip.ts";
import { addressesLeft } from "../../../src/vip/places.ts";
import { address } from "./fake-host.ts";
import { begin, plan, PLANS } from "./holder.ts";

const [A, B, C] = [address("10.0.0.1"), address("10.0.0.2"), address("10.0.0.3")];

describe("a new configuration", () => {
  test("is guarded before anything else happens, together with what was and what vipd bound once", () => {
    const { holder, host } = begin();
    host.put(address("10.0.0.9"));
    host.put(address("10.0.0.8"), false);
    expect(holder.vips.plan([plan("a", A, C)])).toEqual([]);
    expect(host.news()).toEqual([
      "protect 10.0.0.1,10.0.0.3,10.0.0.2,10.0.0.9",
      "close 10.0.0.9",
      "unbind 10.0.0.9",
      "protect 10.0.0.1,10.0.0.3",
    ]);
    expect(host.addresses().map(({ ip }) => ip)).toEqual(["10.0.0.8"]);
    expect(holder.log.messages("warn")).toEqual(["10.0.0.9 is not configured any more: removed"]);
  });

  test("is refused when the fence cannot be put up: then nothing has changed", () => {
    const { holder, host } = begin();
    holder.gain("a");
    host.refused.add("protect");
    expect(() => holder.vips.plan([plan("b", B)])).toThrow("the host refuses to protect");
    expect([...holder.vips.state.plans.keys()]).toEqual(["a", "b"]);
    expect(host.answering()).toEqual(["10.0.0.1/24"]);
  });

  test("keeps what cannot be removed behind the fence, and says so", () => {
    const { holder, host } = begin();
    const stray = host.put(address("10.0.0.9"));
    host.stuck.add("10.0.0.9");
    expect(holder.vips.plan(PLANS)).toEqual([stray]);
    expect(host.guarded).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.9"]);
    expect(holder.log.messages("warn")).toEqual(["10.0.0.9 cannot be removed: it stays behind the fence"]);
    host.stuck.clear();
    expect(holder.vips.plan(PLANS)).toEqual([]);
    expect(host.guarded).toEqual(["10.0.0.1", "10.0.0.2"]);
  });

  test("removes nothing that cannot be closed first", () => {
    const { holder, host } = begin();
    const stray = host.put(address("10.0.0.9"));
    host.refused.add("close");
    expect(holder.vips.plan(PLANS)).toEqual([stray]);
    expect(host.addresses()).toEqual([stray]);
    expect(host.guarded).toContain("10.0.0.9");
  });

  test("takes an own address of another prefix length for a stray one", () => {
    const { holder, host } = begin();
    host.put(address("10.0.0.1", "eth0", 32));
    holder.vips.plan(PLANS);
    expect(host.addresses()).toEqual([]);
  });

  test("guards what is being released until that is done", () => {
    const { holder, host } = begin();
    holder.gain("a");
    host.stuck.add("10.0.0.1");
    holder.lose("a");
    expect(holder.vips.plan([plan("b", B)])).toEqual([]);
    expect(host.guarded).toEqual(["10.0.0.2", "10.0.0.1"]);
    expect(addressesLeft(holder.vips.state, "a")).toEqual([A]);
  });
});

describe("a VIP that is held, by a new configuration", () => {
  test.each<{ name: string; from: readonly VipAddress[]; to: readonly VipAddress[] }>([
    { name: "one more address", from: [A], to: [A, C] },
    { name: "one address less", from: [A, C], to: [A] },
    { name: "another address", from: [A], to: [C] },
    { name: "another prefix length", from: [A], to: [address("10.0.0.1", "eth0", 32)] },
    { name: "another interface", from: [A], to: [address("10.0.0.1", "eth1")] },
    { name: "a label", from: [A], to: [{ ...A, label: "eth0:a" }] },
  ])("answers for what it has then, and nothing else is bound: $name", ({ from, to }) => {
    const { holder, host } = begin([plan("a", ...from), plan("b", B)]);
    holder.gain("a", "b");
    expect(holder.plan(plan("a", ...to), plan("b", B))).toEqual([]);
    const expected = [...to, B];
    expect(host.answering()).toEqual(expected.map(({ ip, prefix }) => `${ip}/${prefix}`).toSorted());
    expect(
      host
        .addresses()
        .map((each) => `${each.ip} ${each.interface}`)
        .toSorted(),
    ).toEqual(expected.map((each) => `${each.ip} ${each.interface}`).toSorted());
    expect(host.guarded.toSorted()).toEqual(expected.map(({ ip }) => ip).toSorted());
    expect(holder.reports).toEqual(["held a,b"]);
    expect(holder.log.messages("warn")).toEqual([]);
  });

  test("answers on for what it takes over from a VIP that is gone", () => {
    const { holder, host } = begin();
    holder.gain("a", "b");
    holder.plan(plan("b", A, B));
    holder.lose("a");
    holder.vips.protect();
    expect(host.answering()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
    expect(host.guarded.toSorted()).toEqual(["10.0.0.1", "10.0.0.2"]);
  });

  test("answers on for addresses that two VIPs have swapped", () => {
    const { holder, host } = begin();
    holder.gain("a", "b");
    holder.plan(plan("a", B), plan("b", A));
    expect(host.answering()).toEqual(["10.0.0.1/24", "10.0.0.2/24"]);
    holder.lose("a");
    expect(host.answering()).toEqual(["10.0.0.1/24"]);
  });

  test("is lost when an address that is gone cannot be closed, and that one is guarded until it is", async () => {
    const { holder, host } = begin([plan("a", A, C)]);
    holder.gain("a");
    host.refused.add("close");
    holder.plan(plan("a", A));
    expect(holder.reports).toContain("failed a: the kernel refused: the host refuses to close");
    expect(host.guarded.toSorted()).toEqual(["10.0.0.1", "10.0.0.3"]);
    host.refused.clear();
    await host.timers.advance(100);
    expect(host.addresses()).toEqual([]);
    expect(holder.reports.at(-1)).toBe("released a: hold-failed");
  });

  test("is lost when an address that is gone cannot be removed", () => {
    const { holder, host } = begin([plan("a", A, C)]);
    holder.gain("a");
    host.stuck.add("10.0.0.3");
    holder.plan(plan("a", A));
    expect(holder.reports).toContain("failed a: the kernel refused: the host refuses to remove 10.0.0.3");
    expect(host.answering()).toEqual([]);
  });
});

test("a fence that cannot be brought up to date is only warned of: the next extension finds it damaged", () => {
  const { holder, host } = begin();
  host.refused.add("protect");
  holder.vips.protect();
  expect(holder.log.messages("warn")).toEqual([
    "the fence could not be brought up to date: the host refuses to protect",
  ]);
});

describe("what is bound and not held", () => {
  test("is closed and removed by a sweep; what is held, or not there, is left alone", () => {
    const { holder, host } = begin([...PLANS, plan("c", C)]);
    holder.gain("a");
    host.put(B);
    host.news();
    holder.vips.sweep(false);
    expect(host.news()).toEqual(["close 10.0.0.2", "unbind 10.0.0.2"]);
  });

  test("may be planned for a VIP that is held without it: the sweep closes nothing that is held", () => {
    const { holder, host } = begin();
    holder.gain("a");
    holder.vips.plan([plan("a", A, C)]);
    host.put(C);
    host.news();
    holder.vips.sweep(false);
    expect(host.news()).toEqual(["close 10.0.0.3", "unbind 10.0.0.3"]);
    expect(host.answering()).toEqual(["10.0.0.1/24"]);
  });

  test("may be a former process' own: a sweep that spares those removes only what others have bound", () => {
    const { holder, host } = begin();
    host.put(A);
    host.put(B, false);
    holder.vips.sweep(true);
    expect(host.news()).toEqual(["close 10.0.0.2", "unbind 10.0.0.2"]);
  });

  test("leaves no device of a virtual MAC up: they are looked at a little later", async () => {
    const { holder, host } = begin();
    let looks = 0;
    const keepDevices = (): { troubles: readonly string[]; others: boolean } => {
      looks += 1;
      return { troubles: [], others: false };
    };
    Object.assign(host, { keepDevices });
    host.put(A);
    holder.vips.sweep(false);
    await host.timers.advance(50);
    expect(looks).toBe(1);
  });

  test("and cannot be removed is warned of", () => {
    const { holder, host } = begin();
    host.put(A);
    host.stuck.add("10.0.0.1");
    holder.vips.sweep(false);
    expect(holder.log.messages("warn")).toEqual(["the host refuses to remove 10.0.0.1"]);
    expect(holder.reports).toEqual([]);
  });
});

describe("an interface that was renamed while a VIP was bound on it", () => {
  test("the VIP is released once its address is gone from there", async () => {
    const { holder, host } = begin();
    holder.gain("a");
    host.renameLink("eth0", "lan0");
    host.stuck.add("10.0.0.1");
    holder.lose("a");
    expect(holder.reports).toEqual(["held a"]);
    expect(host.answering()).toEqual([]);
    host.stuck.clear();
    await host.timers.advance(100);
    expect(host.addresses()).toEqual([]);
    expect(holder.reports).toEqual(["held a", "released a: step-down"]);
  });

  test("what the kernel goes on showing, though it refuses nothing, is not released", () => {
    const { holder, host } = begin();
    holder.gain("a");
    host.renameLink("eth0", "lan0");
    host.deaf.add("10.0.0.1");
    holder.lose("a");
    expect(holder.reports).toEqual(["held a"]);
    expect(holder.log.messages("warn")).toEqual(["10.0.0.1 is still bound, on lan0"]);
  });

  test("addresses of others, and those of VIPs that are held, stay", () => {
    const { holder, host } = begin([plan("a", A, C), plan("b", B)]);
    holder.gain("a", "b");
    host.put(address("10.0.0.1", "eth1"), false);
    host.put(address("10.0.0.3", "eth1"), false, { permanent: false, keepalived: true });
    host.renameLink("eth0", "lan0");
    holder.lose("a");
    expect(host.addresses().map((each) => `${each.ip} ${each.interface}`)).toEqual([
      "10.0.0.1 eth1",
      "10.0.0.3 eth1",
      "10.0.0.2 lan0",
    ]);
  });

  test("an address without a mark, as kernels before 5.18 keep none, is known by its lifetime", () => {
    const { holder, host } = begin();
    holder.gain("a");
    host.put(A, false, { permanent: false });
    host.renameLink("eth0", "lan0");
    holder.lose("a");
    expect(host.addresses()).toEqual([]);
    expect(holder.reports).toEqual(["held a", "released a: step-down"]);
  });
});

describe("at the end", () => {
  test("the fence goes when nothing that it guards is bound", () => {
    const { holder, host } = begin();
    host.put(address("10.0.0.9"), false);
    expect(holder.vips.retire()).toEqual([]);
    expect(host.news()).toEqual(["remove"]);
  });

  test("what is still bound is closed and removed first", () => {
    const { holder, host } = begin();
    holder.gain("a");
    host.news();
    expect(holder.vips.retire()).toEqual([]);
    expect(host.news()).toEqual(["close 10.0.0.1", "unbind 10.0.0.1", "remove"]);
    expect(holder.log.messages("warn")).toEqual(["10.0.0.1 was still bound: removed"]);
  });

  test("the fence stays around what cannot be removed", () => {
    const { holder, host } = begin();
    holder.gain("a");
    host.stuck.add("10.0.0.1");
    expect(holder.vips.retire().map(({ ip }) => ip)).toEqual(["10.0.0.1"]);
    expect(host.calls).not.toContain("remove");
    expect(host.answering()).toEqual([]);
  });

  test("what vipd bound is removed wherever it is by then, and the fence stays around what cannot be", () => {
    const { holder, host } = begin();
    holder.gain("a");
    host.renameLink("eth0", "lan0");
    host.stuck.add("10.0.0.1");
    expect(holder.vips.retire()).toMatchObject([{ ip: "10.0.0.1", interface: "lan0" }]);
    expect(host.calls).not.toContain("remove");
    expect(host.guarded).toContain("10.0.0.1");
    host.stuck.clear();
    expect(holder.vips.retire()).toEqual([]);
    expect(host.addresses()).toEqual([]);
    expect(host.calls.at(-1)).toBe("remove");
  });

  test("a fence that cannot be taken down stays, closed", () => {
    const { holder, host } = begin();
    host.refused.add("remove");
    expect(holder.vips.retire()).toEqual([]);
    expect(holder.log.messages("warn")).toEqual([
      "the fence could not be taken down: the host refuses to remove; it stays, closed",
    ]);
  });
});

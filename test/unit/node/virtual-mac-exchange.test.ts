// Two VIPs exchange their virtual MACs, or one gets another's, on hosts that take on the new file one after the other. At no
// instant do two hosts send with one MAC, and in the end each VIP has the one that the files say.

import { describe, expect, test } from "vitest";
import { virtualRouterMac } from "../../../src/base/virtual-mac.ts";
import { onVirtualDevices } from "../../../src/config/virtual-mac-schema.ts";
import type { VipConfig } from "../../../src/config/types.ts";
import { LEASE_MS, SimulatedFleet, simVip } from "./simulated-fleet.ts";

const [IP1, IP2] = ["10.0.1.1", "10.0.2.1"];
const [MAC51, MAC52] = [virtualRouterMac(4, 51), virtualRouterMac(4, 52)];

/** The ids of vip-1 and of vip-2; `null`: without a virtual MAC. */
type Ids = readonly [number | null, number | null];

/** The file of a node that has vip-1 with the one priority, and vip-2 with the other. */
function file([first, second]: Ids, priority1: number, priority2: number): readonly VipConfig[] {
  const withId = (vip: VipConfig, id: number | null): VipConfig =>
    id === null ? vip : { ...vip, addresses: onVirtualDevices(vip.addresses, id) };
  return [withId(simVip(1, priority1), first), withId(simVip(2, priority2), second)];
}

/** Watched at each half millisecond. */
class Exchange extends SimulatedFleet {
  readonly doubles = new Set<string>();

  /** `n1` holds vip-1, and `n2` vip-2. */
  constructor(ids: Ids) {
    super({ n1: file(ids, 200, 100), n2: file(ids, 100, 200) });
    this.until(() => this.isHeldBy("n1", IP1) && this.isHeldBy("n2", IP2));
    this.watch(2 * LEASE_MS);
  }

  watch(ms: number): this {
    for (let half = 0; half < 2 * ms; half += 1) {
      this.run(0.5);
      for (const what of [IP1, IP2, MAC51, MAC52]) if (this.answering(what).length > 1) this.doubles.add(what);
    }
    return this;
  }

  reload(name: "n1" | "n2", ids: Ids): this {
    const [priority1, priority2] = name === "n1" ? [200, 100] : [100, 200];
    this.at(name, (daemon) => daemon.reload(file(ids, priority1, priority2)));
    return this;
  }

  /** Kills it, and starts it within its lease with that file. */
  restart(name: "n1" | "n2", ids: Ids): this {
    const host = this.host(name);
    const [priority1, priority2] = name === "n1" ? [200, 100] : [100, 200];
    host.whenGone = () => host.startIn(20, file(ids, priority1, priority2));
    this.daemon(name).process.kill();
    return this;
  }

  get wrong(): readonly string[] {
    return [...this.doubles, ...this.broken];
  }
}

describe("two VIPs that exchange their ids", () => {
  test("have one sender for each MAC while the hosts reload one after the other, and then each the other's MAC", () => {
    const fleet = new Exchange([51, 52]);
    expect([MAC51, MAC52].map((mac) => fleet.answering(mac))).toEqual([["n1"], ["n2"]]);
    fleet.reload("n1", [52, 51]).watch(600);
    expect(fleet.answering(MAC52), "vip-2 has it on n2 still").toEqual(["n2"]);
    expect(fleet.answering(IP1), "it has no MAC that it may be answered with").toEqual([]);
    fleet.reload("n2", [52, 51]).watch(600);
    expect([MAC52, MAC51].map((mac) => fleet.answering(mac))).toEqual([["n1"], ["n2"]]);
    expect([IP1, IP2].map((ip) => fleet.answering(ip))).toEqual([["n1"], ["n2"]]);
    expect(fleet.wrong).toEqual([]);
  });

  test.each([0, 1, 3, 10, 40])("have one sender when the second host reloads %s ms after the first one", (ms) => {
    const fleet = new Exchange([51, 52]);
    fleet.reload("n1", [52, 51]).watch(ms);
    fleet.reload("n2", [52, 51]).watch(2 * LEASE_MS);
    expect([MAC52, MAC51].map((mac) => fleet.answering(mac))).toEqual([["n1"], ["n2"]]);
    expect(fleet.wrong).toEqual([]);
  });

  test("have one sender when the hosts restart within their leases one after the other", () => {
    const fleet = new Exchange([51, 52]);
    fleet.restart("n1", [52, 51]).watch(2 * LEASE_MS);
    fleet.restart("n2", [52, 51]).watch(4 * LEASE_MS);
    expect([MAC52, MAC51].map((mac) => fleet.answering(mac).length)).toEqual([1, 1]);
    expect(fleet.wrong).toEqual([]);
  });

  test("have one sender when somebody takes the address off the device just before its daemon is killed, and both restart", () => {
    const fleet = new Exchange([51, 52]);
    fleet.host("n1").kernel.removeByHand(IP1);
    fleet.restart("n1", [52, 51]);
    fleet.reload("n2", [52, 51]).watch(4 * LEASE_MS);
    expect([MAC52, MAC51].map((mac) => fleet.answering(mac).length)).toEqual([1, 1]);
    expect(fleet.wrong).toEqual([]);
  });

  test.each(Array.from({ length: 40 }, (_, point) => point))(
    "have one sender when the first host freezes in its reload, at point %s of its code",
    (point) => {
      const fleet = new Exchange([51, 52]);
      fleet.reload("n1", [52, 51]);
      fleet.daemon("n1").process.freeze(point, 1.5 * LEASE_MS);
      fleet.watch(5);
      fleet.reload("n2", [52, 51]).watch(4 * LEASE_MS);
      expect([MAC52, MAC51].map((mac) => fleet.answering(mac).length)).toEqual([1, 1]);
      expect(fleet.wrong).toEqual([]);
    },
  );
});

describe("a virtual MAC that is turned on by a reload", () => {
  test("is not sent with while another VIP has it, and is when that has let go of it", () => {
    const fleet = new Exchange([null, 51]);
    fleet.reload("n1", [51, null]).watch(600);
    expect(fleet.answering(MAC51)).toEqual(["n2"]);
    expect(fleet.answering(IP1)).toEqual([]);
    fleet.reload("n2", [51, null]).watch(600);
    expect(fleet.answering(MAC51)).toEqual(["n1"]);
    expect(fleet.isHeldBy("n1", IP1) && fleet.isHeldBy("n2", IP2)).toBe(true);
    expect(fleet.wrong).toEqual([]);
  });

  test("is sent with, and its VIP answered for, when nobody else has it", () => {
    const fleet = new Exchange([null, null]);
    fleet.reload("n1", [51, 52]).watch(600);
    expect(fleet.answering(MAC51)).toEqual(["n1"]);
    expect(fleet.isHeldBy("n1", IP1)).toBe(true);
    fleet.reload("n1", [null, null]).watch(600);
    expect(fleet.answering(MAC51)).toEqual([]);
    expect(fleet.isHeldBy("n1", IP1)).toBe(true);
    expect(fleet.wrong).toEqual([]);
  });

  test("goes to another VIP when its holder is dead and its lease has run out, not before", () => {
    const fleet = new Exchange([null, 51]);
    fleet.reload("n1", [51, null]).watch(600);
    fleet.daemon("n2").process.kill();
    fleet.watch(5 * LEASE_MS);
    expect(fleet.answering(MAC51)).toEqual(["n1"]);
    expect(fleet.isHeldBy("n1", IP1, IP2)).toBe(true);
    expect(fleet.wrong).toEqual([]);
  });
});

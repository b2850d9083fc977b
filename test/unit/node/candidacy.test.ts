// What a host brings to an election, from its configuration.

import { expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import type { VipAddress } from "../../../src/base/vip.ts";
import { candidacyOf } from "../../../src/node/candidacy.ts";
import { vipConfig } from "./config.ts";
import { address } from "./fake-host.ts";

const SIX = { family: 6, ip: "2001:db8::1", prefix: 64, interface: "eth1" } as const;

/** Checks have taken something off. */
const FIT = { priority: 120, ineligible: null, lastResort: false, mayPreempt: true };

test("a candidacy has the priority, the policy and the addresses of the configuration", () => {
  const vip = vipConfig("web", [address("10.0.0.1"), SIX], { priority: 150, preempt: false, preemptDelayMs: 5_000 });
  expect(candidacyOf(vip, FIT, [])).toEqual({
    priority: 120,
    ineligible: null,
    lastResort: false,
    preempt: false,
    preemptDelayMs: 5_000,
    minHoldMs: 0,
    spread: null,
    addresses: ["10.0.0.1/24", "2001:db8::1/64"],
    macs: [],
    interface: "eth0",
  });
});

test("why the host cannot hold it is told with it", () => {
  const why = reason("link-down", "eth0 is down");
  const sick = { priority: 120, ineligible: why, lastResort: true };
  expect(candidacyOf(vipConfig("web", [address("10.0.0.1")]), { ...FIT, ...sick }, [])).toMatchObject(sick);
});

test("a host that shall not pre-empt now does not, whatever the configuration wants", () => {
  const vip = vipConfig("web", [address("10.0.0.1")], { preempt: true });
  expect(candidacyOf(vip, FIT, [])).toMatchObject({ preempt: true });
  expect(candidacyOf(vip, { ...FIT, mayPreempt: false }, [])).toMatchObject({ preempt: false });
});

test("addresses that are still on the host are published, each once", () => {
  const vip = vipConfig("web", [address("10.0.0.1")]);
  const left = [address("10.0.0.9"), address("10.0.0.1")];
  expect(candidacyOf(vip, FIT, left).addresses).toEqual(["10.0.0.1/24", "10.0.0.9/24"]);
});

test("the virtual MACs of the configuration and of what is still on the host are published, each once", () => {
  const onDevice = (id: number): VipAddress => {
    const virtualMac = { mac: `00:00:5e:00:01:${id}`, parent: "eth0" };
    return { ...address("10.0.0.1", `vipd4-${id}`, 32), virtualMac };
  };
  const vip = vipConfig("web", [onDevice(33)]);
  expect(candidacyOf(vip, FIT, [onDevice(34), onDevice(33), address("10.0.0.1")])).toMatchObject({
    addresses: ["10.0.0.1/32", "10.0.0.1/24"],
    macs: ["00:00:5e:00:01:33", "00:00:5e:00:01:34"],
    interface: "eth0",
  });
});

test("an election without addresses has no interface", () => {
  expect(candidacyOf(vipConfig("web", []), FIT, [])).toMatchObject({ addresses: [], interface: null });
});

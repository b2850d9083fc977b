// Which devices with virtual MACs a host has, and when they go down; and which MACs stay open.

import { expect, test } from "vitest";
import type { AddressPlace, AddressTable, VirtualDevice } from "../../../src/ports/host.ts";
import { VirtualDevices, withoutSharedMacs } from "../../../src/node/virtual-devices.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";
import { later } from "../../../src/base/time.ts";
import { FakeLog } from "./fake-log.ts";

const MAC = "00:00:5e:00:01:33";

function place(ip: string, mac = MAC): AddressPlace {
  return { family: 4, ip, prefix: 32, interface: "vipd4-51", virtualMac: { mac, parent: "eth0" } };
}

/** A table that notes what it is asked for, and says that others are there still, and that there is more to do until so many portions are done. */
function table(others: boolean, troubles: readonly string[] = [], portions = 0) {
  const asked: (readonly VirtualDevice[])[] = [];
  const keepDevices = (devices: readonly VirtualDevice[]): ReturnType<NonNullable<AddressTable["keepDevices"]>> => {
    asked.push(devices);
    return { troubles, others, more: asked.length < portions };
  };
  const addresses = { keepDevices } as unknown as AddressTable;
  const [timers, log] = [new VirtualTimers(), new FakeLog()];
  return { asked, timers, log, devices: new VirtualDevices({ timers, addresses, log }) };
}

test("there is one device for all addresses that name it", () => {
  const { devices, asked } = table(false);
  devices.keep([place("10.0.0.1"), place("10.0.0.2"), { family: 4, ip: "10.0.0.3", prefix: 24, interface: "eth0" }]);
  expect(asked).toEqual([[{ name: "vipd4-51", virtualMac: { mac: MAC, parent: "eth0" } }]]);
});

test("a host without virtual MACs asks for none once it is known that nobody has left some", () => {
  const { devices, asked } = table(false);
  devices.keep([]);
  devices.keep([]);
  expect(asked).toEqual([[]]);
});

test("a device that an address of a former process keeps is asked for until it is gone", () => {
  const { devices, asked } = table(true);
  devices.keep([]);
  devices.keep([]);
  expect(asked).toEqual([[], []]);
});

test("behind a release the devices are looked at a little later, and not any more once it is closed", async () => {
  const { devices, asked, timers } = table(false);
  devices.keep([place("10.0.0.1")]);
  devices.rest(() => [place("10.0.0.1")]);
  expect(asked).toHaveLength(1);
  await timers.advance(50);
  expect(asked).toHaveLength(2);
  devices.rest(() => [place("10.0.0.1")]);
  devices.close();
  await timers.advance(50);
  expect(asked).toHaveLength(2);
});

test("what the kernel refuses is told", () => {
  const { devices, log } = table(false, [
    "there is an interface vipd4-51 that vipd did not make: give it another name",
  ]);
  devices.keep([place("10.0.0.1")]);
  expect(log.lines.map(({ message }) => message).join()).toContain("that vipd did not make");
});

test("what is more than a portion is done between what else is due, and its troubles are told once", async () => {
  const { devices, asked, timers, log } = table(false, ["vipd4-51 cannot be made"], 4);
  const turns: number[] = [];
  const look = (): void => {
    turns.push(asked.length);
    if (turns.length < 8) timers.at(later(timers.now(), 3), look);
  };
  devices.keep([place("10.0.0.1")]);
  look();
  await timers.advance(100);
  expect(asked).toHaveLength(4);
  expect(new Set(turns)).toEqual(new Set([1, 2, 3, 4]));
  expect(log.lines).toHaveLength(1);
});

test("what comes between two portions has the last word, and an end has all at once", async () => {
  const { devices, asked, timers } = table(false, [], 6);
  devices.keep([place("10.0.0.1")]);
  devices.keep([]);
  await timers.advance(7);
  expect(asked.map(({ length }) => length)).toEqual([1, 0, 0]);
  devices.keepAll([]);
  await timers.advance(100);
  expect(asked).toHaveLength(6);
});

test("a MAC stays open for what is held on under it, and closes with the last of its addresses", () => {
  const [one, two] = [place("10.0.0.1"), place("10.0.0.2")];
  const { virtualMac: _, ...bare } = one;
  expect(withoutSharedMacs([one], [one, two])).toEqual([bare]);
  expect(withoutSharedMacs([one], [one])).toEqual([one]);
  expect(withoutSharedMacs([one], [one, place("10.0.0.2", "00:00:5e:00:01:34")])).toEqual([one]);
});

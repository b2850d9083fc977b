// Listening for others that claim a VIP: what is listened for, and how what is heard is gathered.

import { expect, test } from "vitest";
import type { VipAddress } from "../../../src/base/vip.ts";
import { ForeignClaims } from "../../../src/node/foreign-claims.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";
import { address } from "./fake-host.ts";
import { FakeLog } from "./fake-log.ts";

type OnClaim = (address: VipAddress, mac: string) => void;

class Wire {
  readonly timers = new VirtualTimers();
  readonly log = new FakeLog();
  readonly listened: (readonly string[])[] = [];
  readonly heard: string[] = [];
  held: (readonly [vip: string, addresses: readonly VipAddress[]])[] = [["web", [address("10.0.0.1")]]];
  claim: OnClaim = () => {};
  refuse: string | undefined;
  readonly foreignClaims = new ForeignClaims({
    timers: this.timers,
    log: this.log,
    packets: {
      announce: () => true,
      probe: () => Promise.resolve([]),
      close: () => {},
      hear: (addresses, onClaim) => {
        if (this.refuse !== undefined) throw new Error(this.refuse);
        this.listened.push(addresses.map(({ ip }) => ip));
        this.claim = onClaim;
      },
    },
    held: () => this.held,
    heard: (vip, stations) => this.heard.push(`${vip}: ${stations.join(",")}`),
  });
}

test("changes are gathered: a batch of VIPs is listened for at once", async () => {
  const wire = new Wire();
  wire.foreignClaims.changed();
  wire.held.push(["db", [address("10.0.0.2"), address("10.0.0.3")]]);
  wire.foreignClaims.changed();
  await wire.timers.advance(50);
  expect(wire.listened).toEqual([["10.0.0.1", "10.0.0.2", "10.0.0.3"]]);
  wire.held.shift();
  wire.foreignClaims.changed();
  await wire.timers.advance(50);
  expect(wire.listened.at(-1)).toEqual(["10.0.0.2", "10.0.0.3"]);
});

test("what is heard is told within a tenth of a second, by VIP, each station once, and a flood is cut", async () => {
  const wire = new Wire();
  wire.foreignClaims.changed();
  await wire.timers.advance(50);
  for (const mac of ["02:b", "02:a", "02:b"]) wire.claim(address("10.0.0.1"), mac);
  wire.claim(address("10.0.0.9"), "02:c");
  expect(wire.heard).toEqual([]);
  await wire.timers.advance(100);
  expect(wire.heard).toEqual(["web: 02:a,02:b"]);
  for (let i = 0; i < 10_000; i += 1) wire.claim(address("10.0.0.1"), `02:${i}`);
  await wire.timers.advance(100);
  expect(wire.heard).toHaveLength(2);
  expect(wire.heard[1]?.split(",")).toHaveLength(256);
});

test("foreignClaims that cannot be opened are told of once, and tried again with the next change", async () => {
  const wire = new Wire();
  wire.refuse = "EMFILE";
  for (let i = 0; i < 3; i += 1) {
    wire.foreignClaims.changed();
    await wire.timers.advance(50);
  }
  expect(wire.log.lines.map(({ message }) => message)).toEqual(["cannot listen for others that claim a VIP: EMFILE"]);
  wire.refuse = undefined;
  wire.foreignClaims.changed();
  await wire.timers.advance(50);
  expect(wire.listened).toEqual([["10.0.0.1"]]);
});

test("closed foreignClaims tell nothing more", async () => {
  const wire = new Wire();
  wire.foreignClaims.changed();
  await wire.timers.advance(50);
  wire.claim(address("10.0.0.1"), "02:a");
  wire.foreignClaims.changed();
  wire.foreignClaims.close();
  await wire.timers.advance(1_000);
  expect([wire.heard, wire.listened.length]).toEqual([[], 1]);
});

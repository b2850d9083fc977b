// vipctl vrrp listen: its table, its JSON, its warnings and its exit codes.

import { expect, test } from "vitest";
import type { VrrpAdvert } from "../../../src/base/vrrp.ts";
import type { OnVrrp } from "../../../src/cli/deps.ts";
import { runVipctl } from "../../../src/cli/vipctl.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import { encodeVrrpIpv4 } from "../../../src/wire/vrrp.ts";
import { passwordData } from "../../../src/wire/vrrp-auth.ts";
import { Desk } from "./desk.ts";

const ADVERT: VrrpAdvert = { version: 2, vrid: 51, priority: 150, intervalMs: 1_000, addresses: ["10.0.0.50"] };

class Listening {
  readonly desk = new Desk();
  readonly links: (string | undefined)[] = [];
  closed = 0;
  private onReceived: OnVrrp | undefined;
  private readonly opened = Promise.withResolvers<void>();

  async run(...args: readonly string[]): Promise<number> {
    const listenVrrp = (link: string | undefined, onReceived: OnVrrp): Promise<() => void> => {
      this.links.push(link);
      this.onReceived = onReceived;
      this.opened.resolve();
      return Promise.resolve(() => void (this.closed += 1));
    };
    return runVipctl(["vrrp", "listen", ...args], { ...this.desk.deps, listenVrrp });
  }

  hear(source: string, change: Partial<VrrpAdvert> = {}, password?: string): void {
    const ends = { source: ipBytes(source), destination: ipBytes("224.0.0.18") };
    const options = password === undefined ? {} : { password: passwordData(password) };
    this.raw(encodeVrrpIpv4({ ...ADVERT, ...change }, ends, options));
  }

  raw(packet: Uint8Array): void {
    this.onReceived?.("eth0", true, { family: 4, packet });
  }

  /** Settles when the listeners are open. */
  get listens(): Promise<void> {
    return this.opened.promise;
  }

  /** Listens, hears what `say` says, and comes to the end. */
  async heard(say: () => void, ...args: readonly string[]): Promise<number> {
    const run = this.run("eth0", ...args);
    await this.listens;
    await this.desk.timers.advance(4_000);
    say();
    await this.desk.timers.advance(1_000);
    return run;
  }
}

test("a table of who speaks, and exit code 0", async () => {
  const it = new Listening();
  expect(await it.heard(() => it.hear("10.0.0.2", {}, "secret"))).toBe(0);
  expect(it.links).toEqual(["eth0"]);
  expect(it.closed).toBe(1);
  expect(it.desk.out.text.split("\n").slice(0, 2)).toEqual([
    "INTERFACE  ID  MASTER    PRIORITY  INTERVAL  VERSION  AUTH      WAY        LAST ADVERT  ADDRESSES",
    "eth0       51  10.0.0.2  150       1s        2        password  multicast  1s ago       10.0.0.50",
  ]);
});

test("nobody is exit code 1", async () => {
  const it = new Listening();
  expect(await it.heard(() => {})).toBe(1);
  expect(it.desk.out.text).toBe("nobody speaks VRRP here\n");
});

test("--json has all that was heard", async () => {
  const it = new Listening();
  await it.heard(() => it.hear("10.0.0.2"), "--json");
  expect(it.desk.out.json).toEqual({
    speakers: [
      {
        interface: "eth0",
        family: 4,
        id: 51,
        source: "10.0.0.2",
        version: 2,
        priority: 150,
        intervalMs: 1_000,
        addresses: ["10.0.0.50"],
        authentication: "none",
        reach: "multicast",
        adverts: 1,
        ageMs: 1_000,
      },
    ],
    warnings: [],
  });
});

test("a handover is no fault: who gave up is no master beside the next one", async () => {
  const it = new Listening();
  await it.heard(() => {
    it.hear("10.0.0.2");
    it.hear("10.0.0.2", { priority: 0 });
    it.hear("10.0.0.3", { priority: 100 });
  });
  expect(it.desk.out.text).toContain("0 (gave up)");
  expect(it.desk.out.text).not.toContain("!");
});

test.each<[string, (it: Listening) => void, string]>([
  [
    "two masters",
    (it) => it.hear("10.0.0.3", { priority: 100 }),
    "id 51 on eth0 has 2 masters: 10.0.0.2 (priority 150), 10.0.0.3 (priority 100)",
  ],
  [
    "an id that two groups use",
    (it) => it.hear("10.0.0.3", { addresses: ["10.0.0.60"] }),
    "id 51 on eth0 is used by two groups: 10.0.0.2 has 10.0.0.50, 10.0.0.3 has 10.0.0.60; give each an id of its own",
  ],
  [
    "differing lists",
    (it) => it.hear("10.0.0.3", { addresses: ["10.0.0.50", "10.0.0.60"] }),
    "id 51 on eth0: the lists of addresses differ: 10.0.0.2 has 10.0.0.50, 10.0.0.3 has 10.0.0.50 10.0.0.60",
  ],
  [
    "differing intervals",
    (it) => it.hear("10.0.0.3", { intervalMs: 2_000 }),
    "id 51 on eth0: the intervals differ: 10.0.0.2 has 1s, 10.0.0.3 has 2s",
  ],
  [
    "differing versions",
    (it) => it.hear("10.0.0.3", { version: 3 }),
    "id 51 on eth0: the versions differ: 10.0.0.2 has version 2, 10.0.0.3 has version 3",
  ],
  [
    "differing authentication",
    (it) => it.hear("10.0.0.3", {}, "secret"),
    "id 51 on eth0: the authentication differs: 10.0.0.2 has none, 10.0.0.3 has password",
  ],
  [
    "what is no advert",
    (it) => it.raw(new Uint8Array([0x45, 0, 0])),
    "eth0: a packet of somebody is no advert: the packet ends within its IP header (3 bytes)",
  ],
])("warns of %s", async (_, say, warning) => {
  const it = new Listening();
  await it.heard(() => {
    it.hear("10.0.0.2");
    say(it);
  });
  expect(it.desk.out.text.split("\n")).toContain(`! ${warning}`);
});

test("a time that is none is a usage error", async () => {
  const it = new Listening();
  expect(await it.run("--for", "5")).toBe(2);
  expect(it.desk.err.text).toContain("--for 5 is not a duration up to 1h; write one such as 10s");
});

test("an interrupt ends it, and what was heard is told", async () => {
  const it = new Listening();
  const run = it.run("eth0");
  await it.listens;
  await it.desk.timers.advance(100);
  it.hear("10.0.0.2");
  it.desk.interrupt.abort();
  expect(await run).toBe(130);
  expect(it.desk.out.text).toContain("10.0.0.50");
  expect(it.closed).toBe(1);
});

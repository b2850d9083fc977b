// The daemon looks after its host's real servers: what others take away comes back, and what fails is told once and tried again.

import { expect, test } from "vitest";
import { VipdError } from "../../../src/base/errors.ts";
import { RealServerService } from "../../../src/node/real-servers.ts";
import type { RealServer, RealServers } from "../../../src/ports/real-server.ts";
import { FakeKernel } from "../realserver/fake-kernel.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";
import { FakeLog } from "./fake-log.ts";

const WEB: RealServer = { name: "web", addresses: [{ family: 4, ip: "10.0.0.50" }], interfaces: ["eth0"] };

class Bench {
  readonly kernel = new FakeKernel();
  readonly timers = new VirtualTimers();
  readonly log = new FakeLog();
  changes = 0;
  opened = 0;
  failure: VipdError | undefined;
  readonly service = new RealServerService({
    timers: this.timers,
    log: this.log,
    open: (): Promise<RealServers> => {
      this.opened += 1;
      return this.failure === undefined ? Promise.resolve(this.kernel.open()) : Promise.reject(this.failure);
    },
    changed: () => void (this.changes += 1),
  });
}

test("it brings up what the file has, tells it, and ends nothing when it is closed", async () => {
  const bench = new Bench();
  await bench.service.follow([WEB]);
  expect(bench.service.states).toMatchObject([{ name: "web", state: "up", trouble: null }]);
  expect([bench.changes, bench.log.messages("info")]).toEqual([1, ["is a real server"]]);
  await bench.service.close();
  expect(bench.timers.waiting).toBe(0);
  expect(bench.kernel.placed.map(({ ip }) => ip)).toEqual(["10.0.0.50"]);
  expect(bench.kernel.closed).toBe(bench.opened);
});

test("rules that somebody has flushed are back within five seconds, with a warning", async () => {
  const bench = new Bench();
  await bench.service.follow([WEB]);
  bench.kernel.silent = [];
  await bench.timers.advance(5_000);
  expect(bench.kernel.silent).toEqual(["10.0.0.50"]);
  expect(bench.log.messages("warn")).toEqual([
    "real server of web: the rules that keep this host silent about 10.0.0.50 are gone; it is put right",
  ]);
});

test("a look that finds all well changes nothing, and one that finds something to be put right does", async () => {
  const bench = new Bench();
  await bench.service.follow([WEB]);
  bench.kernel.news();
  await bench.timers.advance(20_000);
  expect([bench.opened, bench.kernel.news()]).toEqual([5, []]);
  await bench.service.follow([{ ...WEB, addresses: [{ family: 4, ip: "10.0.0.51" }] }]);
  expect(bench.kernel.placed.map(({ ip }) => ip)).toEqual(["10.0.0.51"]);
});

test("news of the kernel are followed at once, and a burst of them once", async () => {
  const bench = new Bench();
  await bench.service.follow([WEB]);
  const address = { family: 4, ip: "10.0.0.50", prefix: 32, interface: "lo", served: true } as const;
  const bound = { ...address, ours: false, keepalived: false, permanent: true, secondary: false };
  bench.kernel.open().down(WEB, "file");
  for (let i = 0; i < 10; i++) bench.service.onHostEvent({ kind: "address-removed", address: bound });
  const before = bench.opened;
  await bench.timers.advance(100);
  expect(bench.opened).toBe(before + 1);
  expect(bench.service.states).toMatchObject([{ name: "web", state: "down", trouble: null }]);
  bench.service.onHostEvent({ kind: "address-added", address: { ...bound, ip: "10.0.0.9", interface: "eth1" } });
  bench.service.onHostEvent({ kind: "link-removed", name: "eth7" });
});

test("what cannot be is told once, and tried again at growing intervals until it can", async () => {
  const bench = new Bench();
  bench.kernel.guards = ["10.0.0.50"];
  await bench.service.follow([WEB]);
  expect(bench.service.states).toMatchObject([{ name: "web", state: "down" }]);
  await bench.timers.advance(60_000);
  expect(bench.log.messages("error").length).toBe(1);
  expect(bench.opened).toBeLessThan(20);
  bench.kernel.guards = [];
  await bench.timers.advance(5_000);
  expect(bench.service.states).toMatchObject([{ name: "web", state: "up", trouble: null }]);
});

test("a state directory that cannot be read is told once; the daemon goes on", async () => {
  const bench = new Bench();
  bench.failure = new VipdError("state-dir", "no room");
  await bench.service.follow([WEB]);
  await bench.timers.advance(20_000);
  expect(bench.log.messages("error")).toEqual(["the real servers of this host: no room"]);
  bench.failure = undefined;
  await bench.timers.advance(5_000);
  expect(bench.service.states).toMatchObject([{ state: "up" }]);
});

test("a host that is no real server is not looked at again", async () => {
  const bench = new Bench();
  await bench.service.follow([]);
  await bench.timers.advance(60_000);
  expect([bench.opened, bench.timers.waiting]).toEqual([1, 0]);
});

test("a reload takes down first what is gone from the file", async () => {
  const bench = new Bench();
  const db = { ...WEB, name: "db", addresses: [{ family: 4, ip: "10.0.0.51" }] } as const;
  await bench.service.follow([WEB, db]);
  await bench.service.retire([db]);
  expect(bench.service.states.map(({ name }) => name)).toEqual(["db"]);
  await bench.service.retire([{ ...db, interfaces: ["eth1"] }]);
  expect(bench.service.states).toEqual([]);
});

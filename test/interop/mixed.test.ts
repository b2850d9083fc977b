// A mixed fleet: two vipd nodes with a store, which are one router to a real keepalived; and the way from keepalived to vipd
// and back, one node at a time.

import { afterEach, expect, test } from "vitest";
import type { DaemonProcess } from "../hosts/harness/fleet.ts";
import { VIP } from "../hosts/harness/fleet.ts";
import { useFleet } from "../hosts/harness/use-fleet.ts";
import { type Dialect, Keepalived } from "./parties.ts";

const bench = useFleet(["a", "b", "c"], [VIP]);
const IPS = { a: "10.77.0.11", b: "10.77.0.12", c: "10.77.0.13" } as const;
type Name = keyof typeof IPS;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

function keepalived(name: Name): Keepalived {
  const dialect: Dialect = { version: 3, intervalMs: 200, unicast: false, vip: VIP, own: "", theirs: IPS[name] };
  return new Keepalived(
    { peer: bench().host(name).namespace, onClose: (closer) => void closers.push(closer) },
    dialect,
  );
}

function vipd(name: Name, priority: number, election = "lease"): DaemonProcess {
  const vips = [
    `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    priority: ${priority}\n    preempt: false`,
    `    election: ${election}\n    vrrp: { id: 51, version: 3, interval: 200ms, priority: 120 }\n`,
  ];
  return bench().fleet.start(bench().host(name), { vips: vips.join("\n") });
}

const holdsLease = (daemon: DaemonProcess, name: Name): Promise<unknown> =>
  daemon.until("has its part", ({ elections: [web] }) => web?.candidates.some(({ node }) => node === name) === true);

/** Waits until the host answers, and until nobody else has for a while. */
async function answers(name: Name): Promise<number> {
  const from = bench().now();
  await bench().recorder.answered(VIP, (host) => host === name, from);
  return from;
}

test("the lease holder alone speaks for the fleet: it obeys keepalived, follows it, and hands over before keepalived can", async () => {
  const { recorder, idle, fleet } = bench();
  const peer = keepalived("c").start(150);
  await peer.untilMaster();
  const a = vipd("a", 200);
  await holdsLease(a, "a");
  const b = vipd("b", 180);
  await holdsLease(b, "b");
  await idle(1_500);
  const from = await bench().mark("c", [VIP]);
  await idle(500);
  expect(recorder.hands(VIP, from)).toEqual(["c"]);

  await peer.stop();
  await a.holds();
  await answers("a");
  expect(recorder.hands(VIP, from)).toEqual(["c", "a"]);
  expect(recorder.overlapMs(VIP, ["c", "a"], from)).toBe(0);

  // Between the vipd nodes, with a keepalived beside that would take what is free for its skew.
  peer.start(100);
  await idle(1_500);
  const handing = await bench().mark("a", [VIP]);
  const host = bench().host("a");
  expect(await fleet.vipctl(host, ["step-down", "web", "-c", fleet.configFile(host)])).toMatchObject({ code: 0 });
  await b.holds();
  await answers("b");
  expect(recorder.hands(VIP, handing)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["a", "b"], handing)).toBe(0);
  expect(recorder.gapMs(VIP, handing)).toBeLessThan(200);
  await peer.stop();

  // A death: the other one has both, the lease and the silence.
  const dying = await bench().mark("b", [VIP]);
  await b.kill();
  await a.holds();
  await answers("a");
  expect(recorder.hands(VIP, dying)).toEqual(["b", "a"]);
  expect(recorder.overlapMs(VIP, ["b", "a"], dying)).toBe(0);
});

test("a lease holder that is frozen is silent before keepalived answers", async () => {
  const { recorder, idle } = bench();
  const a = vipd("a", 200);
  await a.holds();
  await answers("a");
  const peer = keepalived("c").start(100);
  await idle(1_500);
  const from = await bench().mark("a", [VIP]);
  a.signal("SIGSTOP");
  await peer.untilMaster();
  await answers("c");
  expect(recorder.hands(VIP, from)).toEqual(["a", "c"]);
  expect(recorder.overlapMs(VIP, ["a", "c"], from)).toBe(0);
});

test("three keepalived become three vipd with a store, one at a time, and keepalived again", async () => {
  const { recorder, idle, fleet } = bench();
  const peers = { a: keepalived("a").start(150), b: keepalived("b").start(100), c: keepalived("c").start(50) };
  await peers.a.untilMaster();
  const daemons = new Map<Name, DaemonProcess>();
  const gaps: Record<string, number> = {};
  /** One step, with the client's longest gap in it and in the moments after it. */
  const step = async (name: string, run: () => Promise<unknown>): Promise<void> => {
    const from = bench().now();
    await run();
    await idle(1_200);
    gaps[name] = Math.round(recorder.gapMs(VIP, from));
  };
  const replace = (name: Name): Promise<void> =>
    step(`${name} becomes vipd`, async () => {
      await peers[name].stop();
      const daemon = vipd(name, 100);
      daemons.set(name, daemon);
      await holdsLease(daemon, name);
    });
  const restore = (name: Name, priority: number): Promise<void> =>
    step(`${name} becomes keepalived`, async () => {
      daemons.get(name)?.signal("SIGTERM");
      await daemons.get(name)?.ended;
      peers[name].start(priority);
    });
  await bench().mark("a", [VIP]);
  await replace("c");
  await replace("b");
  await replace("a");
  expect(recorder.hands(VIP, bench().now() - 300)).toEqual(["c"]);

  const others = (election: string): void => {
    for (const name of ["a", "b", "c"] as const) {
      const vrrp = election === "lease" ? "" : "    vrrp: { id: 51, version: 3, interval: 200ms, priority: 120 }\n";
      const vips = `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    priority: 100\n    preempt: false\n${vrrp}`;
      fleet.configure(bench().host(name), { vips });
    }
  };
  others("lease");
  for (const name of ["a", "b", "c"] as const)
    await step(`${name} leaves VRRP`, async () => {
      daemons.get(name)?.signal("SIGHUP");
      await daemons.get(name)?.until("is elected by the lease", ({ elections }) => elections[0]?.elector === "lease");
    });
  const alone = await fleet.vipctl(bench().host("a"), ["vrrp", "listen", "eth0", "--for", "1s"]);
  expect(alone.stdout).toBe("nobody speaks VRRP here\n");

  others("lease+vrrp");
  for (const name of ["a", "b", "c"] as const)
    await step(`${name} joins VRRP`, async () => {
      daemons.get(name)?.signal("SIGHUP");
      await daemons.get(name)?.until("is elected by both", ({ elections }) => elections[0]?.elector === "lease+vrrp");
    });
  await restore("a", 150);
  await restore("b", 100);
  await restore("c", 50);
  await bench().mark("a", [VIP]);
  process.stdout.write(`the client's longest gap, ms: ${JSON.stringify(gaps)}\n`);
  // keepalived alone: three intervals and the skew, when a master dies; and a second more.
  for (const [name, gap] of Object.entries(gaps)) expect(gap, name).toBeLessThan(3 * 200 + 200 + 1_000);
});

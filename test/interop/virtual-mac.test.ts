// vipd with a virtual MAC beside a real keepalived with use_vmac, in VRRP mode and in a mixed fleet: neighbours keep the MAC that
// both have, and who is not the master sends nothing with it.

import { afterEach, expect, test } from "vitest";
import { type DaemonProcess, VIP, VIP6 } from "../hosts/harness/fleet.ts";
import { MacRecorder } from "../hosts/harness/mac-recorder.ts";
import { useFleet } from "../hosts/harness/use-fleet.ts";
import { type Dialect, Keepalived } from "./parties.ts";

const bench = useFleet(["a", "b", "c"]);

/** Both families: the VIP, its MAC, and how keepalived speaks. */
const FAMILIES = [
  { family: "IPv4", vip: VIP, prefix: 24, mac: "00:00:5e:00:01:33" },
  { family: "IPv6", vip: VIP6, prefix: 64, mac: "00:00:5e:00:02:33" },
] as const;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A keepalived with use_vmac. It leaves to the administrator that its host asks in no VIP's name with another MAC. */
function keepalived(name: string, vip: string): Keepalived {
  const host = bench().host(name);
  host.namespace.exec("sysctl", "-qw", "net.ipv4.conf.eth0.arp_announce=2");
  const dialect: Dialect = { version: 3, intervalMs: 200, unicast: false, vip, own: "", theirs: host.ip };
  return new Keepalived({ peer: host.namespace, onClose: (closer) => void closers.push(closer) }, dialect);
}

function vips(vip: string, prefix: number, lines: string): string {
  return `  web:
    interface: eth0
    addresses: ["${vip}/${prefix}"]
    virtualMac: true
    ${lines}
`;
}

test.each(FAMILIES)(
  "beside keepalived with use_vmac, $family: a step-down, a return and a kill change no neighbour entry, and adverts carry the MAC",
  async ({ vip, prefix, mac }) => {
    const { lan, fleet, recorder } = bench();
    using macs = new MacRecorder(lan, [mac]);
    const lines = "election: vrrp\n    priority: 200\n    vrrp: { id: 51, version: 3, interval: 200ms }";
    const daemon = fleet.start(bench().host("a"), { store: null, vips: vips(vip, prefix, lines) });
    await daemon.holds();
    const from = await bench().mark("a", [vip]);
    using entries = macs.followNeighbours(lan.client, [vip]);
    const peer = keepalived("b", vip).start(100, "use_vmac");
    await peer.untilListening();
    await macs.advert("a", mac, from);

    await daemon.admin.stepDown({ election: "web", to: null }, { timeoutMs: 2_000 });
    await recorder.answered(vip, (host) => host === "b", from);
    await daemon.backs();
    const returned = bench().now();
    await peer.stop();
    await daemon.holds();
    await recorder.answered(vip, (host) => host === "a", returned);
    expect(recorder.hands(vip, from)).toEqual(["a", "b", "a"]);
    expect(recorder.overlapMs(vip, ["a", "b", "a"], from)).toBe(0);
    expect(macs.hands(mac, from)).toEqual(["a", "b", "a"]);

    peer.start(100, "use_vmac");
    await peer.untilListening();
    const killed = await bench().mark("a", [vip]);
    await daemon.kill();
    await recorder.answered(vip, (host) => host === "b", killed);
    expect(recorder.hands(vip, killed)).toEqual(["a", "b"]);
    expect(macs.hands(mac, killed)).toEqual(["a", "b"]);
    expect(entries.ever()).toEqual([[mac]]);
  },
);

test("three keepalived with use_vmac become three vipd with a store: the neighbour entry stays, and who answers has the MAC", async () => {
  const { lan, fleet, recorder, idle } = bench();
  const { vip, prefix, mac } = FAMILIES[0];
  using macs = new MacRecorder(lan, [mac]);
  const peers = { a: keepalived("a", vip), b: keepalived("b", vip), c: keepalived("c", vip) };
  peers.a.start(150, "use_vmac");
  await peers.a.untilMaster();
  peers.b.start(100, "use_vmac");
  peers.c.start(50, "use_vmac");
  await Promise.all([peers.b.untilListening(), peers.c.untilListening()]);
  const from = await bench().mark("a", [vip]);
  using entries = macs.followNeighbours(lan.client, [vip]);

  const daemons = new Map<string, DaemonProcess>();
  const vrrp = "vrrp: { id: 51, version: 3, interval: 200ms, priority: 120 }";
  for (const name of ["c", "b", "a"] as const) {
    await peers[name].stop();
    const lines = `election: lease\n    priority: 100\n    preempt: false\n    ${vrrp}`;
    const daemon = fleet.start(bench().host(name), { vips: vips(vip, prefix, lines) });
    daemons.set(name, daemon);
    await daemon.until(
      "takes part",
      ({ elections: [web] }) => web?.candidates.some(({ node }) => node === name) === true,
    );
    await idle(1_200);
  }
  await bench().mark("c", [vip]);
  await macs.advert("c", mac, bench().now());
  expect(recorder.hands(vip, from)).toEqual(["a", "c"]);
  expect(macs.hands(mac, from)).toEqual(["a", "c"]);

  const handing = bench().now();
  await daemons.get("c")?.admin.stepDown({ election: "web", to: "b" }, { timeoutMs: 2_000 });
  await bench().mark("b", [vip]);
  await macs.advert("b", mac, bench().now());
  expect(recorder.hands(vip, handing)).toEqual(["c", "b"]);
  expect(recorder.overlapMs(vip, ["c", "b"], handing)).toBe(0);
  expect(macs.hands(mac, handing)).toEqual(["c", "b"]);

  // A frozen one, with its device and its sending thread: the MAC moves once.
  const frozen = await bench().mark("b", [vip]);
  daemons.get("b")?.signal("SIGSTOP");
  await recorder.answered(vip, (host) => host !== "b", frozen, 15_000);
  const successor = recorder.hands(vip, frozen).at(-1) ?? "";
  await macs.advert(successor, mac, frozen, 10_000);
  daemons.get("b")?.signal("SIGCONT");
  await daemons.get("b")?.backs("web", 15_000);
  await idle(600);
  expect(macs.hands(mac, frozen)).toEqual(["b", successor]);
  expect(recorder.overlapMs(vip, ["b", successor], frozen)).toBe(0);
  expect(entries.ever()).toEqual([[mac]]);
});

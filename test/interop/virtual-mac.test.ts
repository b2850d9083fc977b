// vipd in VRRP mode with a virtual MAC beside a real keepalived with use_vmac: neighbours keep the MAC that both have, and
// the one that is not the master sends nothing with it.

import { afterEach, expect, test } from "vitest";
import { VIP } from "../hosts/harness/fleet.ts";
import { MacRecorder } from "../hosts/harness/mac-recorder.ts";
import { useFleet } from "../hosts/harness/use-fleet.ts";
import { type Dialect, Keepalived } from "./parties.ts";

const bench = useFleet(["a", "b"], [VIP]);
const MAC = "00:00:5e:00:01:33";
const DIALECT: Dialect = {
  version: 3,
  intervalMs: 200,
  unicast: false,
  vip: VIP,
  own: "10.77.0.11",
  theirs: "10.77.0.12",
};
const VIPS = `  web:
    interface: eth0
    addresses: [${VIP}/24]
    election: vrrp
    priority: 200
    virtualMac: true
    vrrp: { id: 51, version: 3, interval: 200ms }
`;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

test("beside keepalived with use_vmac: a step-down, a return and a kill change no neighbour entry, and adverts carry the MAC", async () => {
  const { lan, fleet, recorder } = bench();
  using macs = new MacRecorder(lan, [MAC]);
  const daemon = fleet.start(bench().host("a"), { store: null, vips: VIPS });
  await daemon.holds();
  const from = await bench().mark("a", [VIP]);
  // keepalived leaves it to the administrator that its host asks in no VIP's name with another MAC.
  bench().host("b").namespace.exec("sysctl", "-qw", "net.ipv4.conf.eth0.arp_announce=2");
  using entries = macs.followNeighbours(lan.client, [VIP]);
  const peer = new Keepalived(
    { peer: bench().host("b").namespace, onClose: (closer) => void closers.push(closer) },
    DIALECT,
  ).start(100, "use_vmac");
  await peer.untilListening();
  await macs.advert("a", from);

  await daemon.admin.stepDown({ election: "web", to: null }, { timeoutMs: 2_000 });
  await recorder.answered(VIP, (host) => host === "b", from);
  await daemon.backs();
  const returned = bench().now();
  await peer.stop();
  await daemon.holds();
  await recorder.answered(VIP, (host) => host === "a", returned);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b", "a"]);
  expect(recorder.overlapMs(VIP, ["a", "b", "a"], from)).toBe(0);
  expect(macs.hands(MAC, from)).toEqual(["a", "b", "a"]);

  peer.start(100, "use_vmac");
  await peer.untilListening();
  const killed = await bench().mark("a", [VIP]);
  await daemon.kill();
  await recorder.answered(VIP, (host) => host === "b", killed);
  expect(recorder.hands(VIP, killed)).toEqual(["a", "b"]);
  expect(macs.hands(MAC, killed)).toEqual(["a", "b"]);
  expect(entries.ever()).toEqual([[MAC]]);
});

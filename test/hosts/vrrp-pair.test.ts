// VRRP between two real daemons, each the other's only unicast peer: nobody else may follow, so nobody waits for a skew.

import { expect, test } from "vitest";
import { type DaemonProcess, VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"], [VIP]);

/** Of priority 1, in version 2. */
const SKEW_MS = 996;

type Name = "a" | "b";

function start(name: Name): DaemonProcess {
  const { fleet } = bench();
  const peer = bench().host(name === "a" ? "b" : "a").ip;
  const vrrp = `{ id: 51, version: 2, interval: 1s, unicastPeers: [${peer}] }`;
  const vips = `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    priority: 1\n    election: vrrp\n    vrrp: ${vrrp}\n`;
  return fleet.start(bench().host(name), { store: null, vips });
}

test("a stop, and a step-down, move the VIP without the skew of the other, and never to both", async () => {
  const { fleet, recorder } = bench();
  const a = start("a");
  await a.holds("web", 20_000);
  const b = start("b");
  await b.backs("web", 20_000);

  const stepping = await bench().mark("a", [VIP]);
  const host = bench().host("a");
  const moved = await fleet.vipctl(host, ["step-down", "web", "-c", fleet.configFile(host)]);
  expect(moved).toMatchObject({ code: 0, stderr: "" });
  await recorder.answered(VIP, (name) => name === "b", stepping);
  expect(recorder.hands(VIP, stepping)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["a", "b"], stepping)).toBe(0);
  expect(recorder.gapMs(VIP, stepping)).toBeLessThan(SKEW_MS / 2);

  await a.backs("web", 20_000);
  const stopping = await bench().mark("b", [VIP]);
  b.signal("SIGTERM");
  expect(await b.ended).toMatchObject({ code: 0 });
  await recorder.answered(VIP, (name) => name === "a", stopping);
  expect(recorder.hands(VIP, stopping)).toEqual(["b", "a"]);
  expect(recorder.overlapMs(VIP, ["b", "a"], stopping)).toBe(0);
  expect(recorder.gapMs(VIP, stopping)).toBeLessThan(SKEW_MS / 2);
});

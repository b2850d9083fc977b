// VRRP with a virtual MAC between two real daemons: it is turned on and off one host after the other, and nothing moves.

import { expect, test } from "vitest";
import { type NodeSettings, VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"], [VIP]);
const INTERVAL_MS = 200;
/** What a backup that hears nobody waits for at most. */
const DOWN_MS = 4 * INTERVAL_MS;
const MAC = "00:00:5e:00:01:33";

type Name = "a" | "b";

/** `nth`: moves the priority by so much, which shows in the status when the daemon has taken the file on. */
function settings(name: Name, virtualMac: boolean, nth = 0): NodeSettings {
  const priority = (name === "a" ? 200 : 100) + nth;
  const group = `{ id: 51, version: 3, interval: ${INTERVAL_MS}ms }`;
  const vips = `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    priority: ${priority}\n    election: vrrp\n    virtualMac: ${virtualMac}\n    vrrp: ${group}\n`;
  return { store: null, vips };
}

test("reloads turn the MAC on and off in place: the master stays, is heard all the time, and neighbours are told", async () => {
  const { lan, fleet, recorder, idle } = bench();
  const daemons = {
    a: fleet.start(bench().host("a"), settings("a", false)),
    b: fleet.start(bench().host("b"), settings("b", false)),
  };
  const before = await daemons.a.holds("web", 15_000);
  await daemons.b.backs("web", 15_000);
  const from = await bench().mark("a", [VIP]);
  const entry = (): string => lan.client.namespace.exec("ip", "neigh", "show", VIP);
  const reload = async (name: Name, virtualMac: boolean, nth: number): Promise<void> => {
    fleet.configure(bench().host(name), settings(name, virtualMac, nth));
    daemons[name].signal("SIGHUP");
    const wanted = (name === "a" ? 200 : 100) + nth;
    await daemons[name].until("has reloaded", ({ elections }) => elections[0]?.priority === wanted);
  };

  await reload("a", true, 1);
  await expect.poll(entry, { timeout: 5_000 }).toContain(MAC);
  await idle(DOWN_MS);
  await reload("b", true, 1);
  await reload("a", false, 2);
  await expect.poll(entry, { timeout: 5_000 }).toContain(bench().host("a").mac);
  await idle(DOWN_MS);

  expect(recorder.hands(VIP, from)).toEqual(["a"]);
  expect(recorder.gapMs(VIP, from)).toBeLessThan(DOWN_MS);
  const after = await daemons.a.holds();
  expect(after.elections[0]?.token).toBe(before.elections[0]?.token);
  await daemons.b.backs("web");
  expect(daemons.a.log()).not.toMatch(/released: |lost: /u);
});

// VRRP with signed adverts between two real daemons: keys are changed one host after the other, and nothing moves.

import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type NodeSettings, VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"], [VIP]);
const INTERVAL_MS = 200;
/** What a backup that hears nobody waits for at most. */
const DOWN_MS = 4 * INTERVAL_MS;

type Name = "a" | "b";

const keyFile = (id: number): string => join(bench().fleet.directory, `${id}.key`);

/** A key is put in place whole: a daemon that reads it while it is written would rightly refuse it. */
function writeKey(id: number, fill: string): void {
  writeFileSync(`${keyFile(id)}.new`, `${String(id).padEnd(40, fill)}\n`, { mode: 0o600 });
  renameSync(`${keyFile(id)}.new`, keyFile(id));
}

/** `nth`: moves the priority by so much, which shows in the status when the daemon has taken the file on. */
function settings(name: Name, ids: readonly number[], send: number, nth = 0): NodeSettings {
  const keys = ids.map((id) => `{ id: ${id}, secretFile: ${keyFile(id)} }`).join(", ");
  const group = `{ id: 51, version: 3, interval: ${INTERVAL_MS}ms, hmac: { keys: [${keys}], send: ${send} } }`;
  const priority = (name === "a" ? 200 : 100) + nth;
  const vips = `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    priority: ${priority}\n    election: vrrp\n    vrrp: ${group}\n`;
  return { store: null, vips };
}

test("a new key comes, is signed with, and the old one goes: the master stays, and is heard all the time", async () => {
  const { fleet, recorder, idle } = bench();
  const host = (name: Name): ReturnType<ReturnType<typeof bench>["host"]> => bench().host(name);
  for (const id of [1, 2]) writeKey(id, "k");
  const daemons = {
    a: fleet.start(host("a"), settings("a", [1], 1)),
    b: fleet.start(host("b"), settings("b", [1], 1)),
  };
  await daemons.a.holds("web", 15_000);
  await daemons.b.backs("web", 15_000);
  const listened = await fleet.vipctl(host("b"), ["vrrp", "listen", "eth0", "--for", "600ms"]);
  expect(listened.stdout).toMatch(/^eth0 +51 +10\.77\.0\.11 +200 +200ms +3 +hmac +multicast /mu);
  const from = await bench().mark("a", [VIP]);

  const reload = async (name: Name, ids: readonly number[], send: number, nth: number): Promise<void> => {
    fleet.configure(host(name), settings(name, ids, send, nth));
    daemons[name].signal("SIGHUP");
    const wanted = (name === "a" ? 200 : 100) + nth;
    await daemons[name].until("has reloaded", ({ elections }) => elections[0]?.priority === wanted);
  };
  await Promise.all([reload("a", [1, 2], 1, 1), reload("b", [1, 2], 1, 1)]);
  await reload("a", [1, 2], 2, 2);
  await idle(DOWN_MS);
  await reload("b", [1, 2], 2, 2);
  await Promise.all([reload("a", [2], 2, 3), reload("b", [2], 2, 3)]);
  await idle(DOWN_MS);

  expect(recorder.hands(VIP, from)).toEqual(["a"]);
  expect(recorder.gapMs(VIP, from)).toBeLessThan(INTERVAL_MS);
  for (const name of ["a", "b"] as const) expect(daemons[name].log()).not.toContain("was dropped");
  await daemons.b.backs("web");

  // Whoever has another key believes nobody, and says why.
  writeKey(2, "x");
  daemons.b.signal("SIGHUP");
  await daemons.b.holds();
  expect(daemons.b.log()).toContain("the HMAC of the authentication trailer is wrong");
});

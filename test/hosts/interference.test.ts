// Other people and programs on the host: addresses deleted and added by hand, firewalls flushed, stores that go away.

import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bootClock } from "../../adapters/linux/clock.ts";
import { KernelPackets } from "../../adapters/linux/packets.ts";
import { oneVip, VIP, VIP6 } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

test("a VIP deleted by hand is put back while the lease holds", async () => {
  const { recorder, now } = bench();
  const [a] = await bench().startAll();
  const host = bench().host("a");
  for (const [family, ip] of [
    ["-4", `${VIP}/24`],
    ["-6", `${VIP6}/64`],
  ] as const) {
    const from = now();
    host.namespace.exec("ip", family, "address", "delete", ip, "dev", "eth0");
    await recorder.answered(ip.split("/")[0] ?? "", (name) => name === "a", from);
    expect(bench().isBound(host, ip.split("/")[0] ?? "")).toBe(true);
  }
  expect(a?.log()).toContain("put back");
});

test("a VIP that is bound by hand on a host that does not hold it is removed, and never answered", async () => {
  const { recorder, now, idle } = bench();
  const [, b] = await bench().startAll();
  const host = bench().host("b");
  const from = now();
  host.namespace.exec("ip", "address", "add", `${VIP}/24`, "dev", "eth0");
  await b?.until("is still a candidate", (status) => status.elections[0]?.role === "candidate");
  await expect.poll(() => bench().isBound(host, VIP), { timeout: 5_000 }).toBe(false);
  await idle(100);
  expect(recorder.overlapMs(VIP, ["a"], from)).toBe(0);
});

test("an address left behind by an unknown is removed when the daemon starts", async () => {
  const host = bench().host("b");
  host.namespace.exec("ip", "address", "add", `${VIP}/24`, "dev", "eth0");
  const a = bench().fleet.start(bench().host("a"), { vips: oneVip(200) });
  await a.holds();
  const b = bench().fleet.start(host, { vips: oneVip(100) });
  await b.backs();
  expect(bench().isBound(host, VIP)).toBe(false);
});

test("a second answerer on the wire is detected and reported", async () => {
  const [a] = await bench().startAll({ extra: "" }, "    announce:\n      refresh: 1s\n");
  const { client } = bench().lan;
  client.namespace.exec("ip", "address", "add", `${VIP}/24`, "dev", "eth0");
  const status = await a?.until(
    "tells of the second answerer",
    (seen) => seen.elections[0]?.conflict !== null && seen.elections[0] !== undefined,
    20_000,
  );
  expect(status?.elections[0]?.conflict).toContain(client.mac);
  expect(status?.warnings.join("\n")).toContain(client.mac);
});

test.each([VIP, VIP6])(
  "a stranger that claims %s is noticed within a second, long before the next probe",
  async (ip) => {
    const a = bench().fleet.start(bench().host("a"), { vips: oneVip(200) });
    await a.holds();
    const { client } = bench().lan;
    const packets = client.namespace.inside(() => new KernelPackets({ clock: bootClock() }));
    try {
      // What was gained a moment ago is listened for.
      await bench().idle(300);
      const from = performance.now();
      const [family, prefix] = ip === VIP ? [4 as const, 24] : [6 as const, 64];
      client.namespace.inside(() => packets.announce({ family, ip, prefix, interface: "eth0" }));
      const status = await a.until("tells of the stranger", (seen) => seen.elections[0]?.conflict != null, 5_000);
      expect(performance.now() - from).toBeLessThan(1_000);
      expect(status?.elections[0]?.conflict).toBe(client.mac);
      await expect.poll(() => a.log()).toContain(`somebody else answers for it: ${client.mac}`);
    } finally {
      packets.close();
    }
  },
);

test("a flush of all firewall rules neither opens the fence nor moves the VIP", async () => {
  const { recorder, now, idle } = bench();
  await bench().startAll();
  const from = now();
  for (const name of ["a", "b"]) bench().host(name).namespace.exec("nft", "flush", "ruleset");
  bench().host("b").namespace.exec("ip", "address", "add", `${VIP}/24`, "dev", "eth0");
  await idle(1_200);
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.overlapMs(VIP, ["a"], from)).toBe(0);
});

test("store file gone: the VIP is let go within the lease, and held again when the file is back", async () => {
  const { recorder, now, fleet, idle } = bench();
  const [a] = await bench().startAll();
  const from = now();
  const directory = join(fleet.directory, "store");
  renameSync(directory, `${directory}.away`);
  await a?.until("has let go", (status) => status.elections[0]?.role !== "holder" && !status.store.ok);
  const silent = now();
  await idle(700);
  expect(recorder.hands(VIP, silent)).toEqual([]);
  expect(bench().isBound(bench().host("a"), VIP)).toBe(false);
  renameSync(`${directory}.away`, directory);
  await recorder.answered(VIP, () => true, silent);
  const hands = recorder.hands(VIP, from);
  expect(hands[0]).toBe("a");
  expect(hands.length).toBeLessThanOrEqual(2);
});

test("store replaced by an empty one: never two holders, and the fleet agrees again with a greater token", async () => {
  const { recorder, now, fleet } = bench();
  const daemons = await bench().startAll();
  const before = await daemons[0]?.holds();
  const from = now();
  const directory = join(fleet.directory, "store");
  renameSync(directory, `${directory}.away`);
  for (const daemon of daemons) await daemon.until("has let go", (status) => status.elections[0]?.role !== "holder");
  for (const daemon of daemons) await daemon.kill();
  const again = ["a", "b"].map((name) => fleet.restart(bench().host(name)));
  const anew = await recorder.answered(VIP, () => true, now(), 15_000);
  const after = await again.find((daemon) => daemon.host.name === anew.host)?.holds();
  expect(recorder.overlapMs(VIP, ["a", anew.host === "a" ? "" : anew.host], from)).toBe(0);
  expect(BigInt(after?.elections[0]?.token ?? 0)).toBeGreaterThan(BigInt(before?.elections[0]?.token ?? 0));
});

test("store file damaged under running daemons: they live on, nobody answers once the lease is over, and they say why", async () => {
  const { recorder, now, fleet, idle } = bench();
  const daemons = await bench().startAll();
  const file = join(fleet.directory, "store", "fleet.db");
  // In its place, not in it: what a running SQLite has in its cache would hide the damage for a while.
  for (const suffix of ["", "-wal", "-shm"]) renameSync(`${file}${suffix}`, `${file}${suffix}.sound`);
  writeFileSync(file, Buffer.alloc(65_536, 0x5a));
  for (const daemon of daemons)
    await daemon.until("has let go", (status) => status.elections[0]?.role !== "holder" && !status.store.ok);
  const silent = now();
  await idle(500);
  expect(recorder.hands(VIP, silent)).toEqual([]);
  const status = await daemons[0]?.admin.status({ timeoutMs: 2_000 });
  expect(status?.store.lastError).toMatch(/fleet\.db: .*(?:damaged|no SQLite database)/u);
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
  for (const daemon of daemons) {
    daemon.signal("SIGTERM");
    await expect(daemon.ended).resolves.toEqual({ code: 0, signal: null });
  }
  for (const name of ["a", "b"]) fleet.restart(bench().host(name));
  await recorder.answered(VIP, () => true, silent, 15_000);
});

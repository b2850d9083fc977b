// A night of faults on three nodes with a store behind the same card. In the morning the history, and the log of any one
// node, tell who held what when, why it moved, and how long nobody held it.

import { afterEach, expect, test } from "vitest";
import type { HistoryView, StatusView } from "../../src/admin/views.ts";
import type { EtcdCluster } from "../servers/etcd.ts";
import { type DaemonProcess, oneVip, VIP } from "./harness/fleet.ts";
import { startEtcd } from "./harness/stores.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b", "c"]);
const TTL_MS = 1_000;
const AWAY_MS = 10_000;

let store: EtcdCluster | undefined;

afterEach(async () => {
  await store?.close();
  store = undefined;
});

const holderIn = ({ elections: [web] }: StatusView): string | null =>
  web?.holderAlive === true && web.holder !== null ? web.holder : null;

/** Waits until a node other than `former` holds it, in the words of those that look on, and answers. */
async function moves(daemons: readonly DaemonProcess[], former: string | null, from: number): Promise<string> {
  const witness = daemons.find(({ host, running }) => running && host.name !== former);
  if (witness === undefined) throw new Error("nobody looks on");
  const holder = holderIn(
    await witness.until("somebody else holds it", (status) => ![null, former].includes(holderIn(status)), 30_000),
  );
  if (holder === null) throw new Error("nobody holds it");
  await bench().recorder.answered(VIP, (name) => name === holder, from);
  return holder;
}

async function historyOn(name: string): Promise<readonly HistoryView[]> {
  const host = bench().host(name);
  const { stdout, stderr } = await bench().fleet.vipctl(host, [
    ...["history", "web", "--json", "--socket", bench().fleet.socketOf(host)],
  ]);
  expect(stderr).toBe("");
  return JSON.parse(stdout) as readonly HistoryView[];
}

test("in the morning everybody can tell what happened", { timeout: 150_000 }, async () => {
  const { lan, fleet, now, recorder, idle } = bench();
  const etcd = await startEtcd(lan, 1);
  store = etcd;
  const settings = { ttl: `${TTL_MS}ms`, store: etcd.url, logLevel: "info" };
  const daemons = new Map<string, DaemonProcess>();
  for (const [i, host] of lan.hosts.entries())
    daemons.set(host.name, fleet.start(host, { ...settings, vips: oneVip(200 - i * 20, "    preempt: false\n") }));
  const all = (): readonly DaemonProcess[] => [...daemons.values()];
  const nodeOf = (name: string): DaemonProcess => {
    const daemon = daemons.get(name);
    if (daemon === undefined) throw new Error(`no daemon on ${name}`);
    return daemon;
  };
  const from = now();
  const holders = [await moves(all(), null, from)];
  const current = (): string => holders.at(-1) ?? "";

  // The store is away for ten seconds: nobody may hold. Who comes first then may be the former holder, under its token.
  const tokenBefore = (await nodeOf(current()).holds()).elections[0]?.token;
  await etcd.kill();
  await Promise.all(all().map((daemon) => daemon.until("lets go", ({ elections: [web] }) => web?.role !== "holder")));
  await idle(AWAY_MS);
  await etcd.startAll();
  await Promise.all(all().map((daemon) => daemon.until("sees the store", ({ store: { ok } }) => ok, 30_000)));
  const again = await all()[0]?.until("it is held again", (status) => holderIn(status) !== null, 30_000);
  const isRegained = again?.elections[0]?.token === tokenBefore;
  if (!isRegained) holders.push(again === undefined ? "" : (holderIn(again) ?? ""));
  await recorder.answered(VIP, (name) => name === current(), now());

  if (isRegained) {
    const told = async (): Promise<HistoryView["interruption"]> =>
      (await historyOn(current()))[0]?.interruption ?? null;
    await expect.poll(async () => (await told())?.interruptedMs, { timeout: 10_000 }).toBeGreaterThan(AWAY_MS - TTL_MS);
    expect(await told()).toMatchObject({ reasonCode: "lease-expired" });
    expect(fleet.logOf(bench().host(current()))).toMatch(/this node had it before.*; nobody held it for 1?\d\.\d s/u);
  }

  // The holder is killed.
  const killed = current();
  await nodeOf(killed).kill();
  holders.push(await moves(all(), killed, now()));
  daemons.set(killed, fleet.restart(bench().host(killed)));
  await nodeOf(killed).backs();

  // Its cable is pulled, and the store is behind it.
  const cut = current();
  bench().host(cut).pullCable();
  holders.push(await moves(all(), cut, now()));
  bench().host(cut).plugCable();
  await nodeOf(cut).backs("web", 20_000);
  // What it has to say of its loss is told once it reaches the store again; whoever asks for the next move sooner may be first.
  const ofLoss = async (): Promise<string> =>
    (await historyOn(current())).find(({ from: giver }) => giver === cut)?.loss?.reasonCode ?? "";
  await expect.poll(ofLoss, { timeout: 10_000 }).toMatch(/^(?:link-down|lease-expired)$/u);

  // Somebody asks it to step down.
  const stepped = current();
  const host = bench().host(stepped);
  const { code } = await fleet.vipctl(host, ["step-down", "web", "--socket", fleet.socketOf(host)]);
  expect(code).toBe(0);
  holders.push(await moves(all(), stepped, now()));

  // A stranger takes the address.
  lan.client.namespace.exec("ip", "address", "add", `${VIP}/24`, "dev", "eth0");
  // It asks for a neighbour under that address, as everything does that has just got one.
  const neighbour = bench().host(current()).ip;
  lan.client.namespace.exec("ip", "route", "add", `${neighbour}/32`, "dev", "eth0", "src", VIP);
  lan.client.namespace.exec("ip", "neighbour", "flush", "dev", "eth0");
  lan.client.namespace.exec("bash", "-c", `echo > /dev/udp/${neighbour}/9`);
  await nodeOf(current()).until("hears the stranger", ({ elections: [web] }) => web?.conflict !== null);
  lan.client.namespace.exec("ip", "address", "delete", `${VIP}/24`, "dev", "eth0");

  for (const name of ["a", "b", "c"]) {
    const told = [...(await historyOn(name))].toReversed();
    expect(told.filter(({ to }) => to !== null).map(({ to }) => to)).toEqual(holders);
    for (const [i, change] of told.entries()) {
      expect(change.from, "each change begins where the one before has ended").toBe(told[i - 1]?.to ?? null);
      expect(BigInt(change.token)).toBeGreaterThan(BigInt(told[i - 1]?.token ?? -1));
    }
    const [, afterOutage] = told;
    expect(afterOutage?.from).toBe(holders[0]);
    expect(afterOutage?.loss, "what the former holder said itself").toMatchObject({ reasonCode: "lease-expired" });
    if (isRegained) expect(afterOutage?.loss?.interruptedMs).toBeGreaterThan(AWAY_MS - TTL_MS);
    const ofCut = told.find(({ from: giver, to }) => giver === cut && to === stepped);
    expect(ofCut?.loss?.reasonCode ?? "", "what the holder behind the cable said of it").toMatch(
      /^(?:link-down|lease-expired)$/u,
    );
    if (!isRegained) expect(afterOutage?.vacantMs).toBeGreaterThan(AWAY_MS - TTL_MS);
    expect(told.map(({ interruption }) => interruption)).toEqual(told.map(() => null));
    const codes = told.map(({ reasonCode }) => reasonCode);
    expect(codes[0]).toBe("first-holder");
    const silent = codes.filter((reasonCode) => reasonCode === "holder-silent");
    expect(silent.length).toBeGreaterThanOrEqual(isRegained ? 1 : 2);
    expect(codes).toContain("step-down");
  }

  const logs = new Map(["a", "b", "c"].map((name) => [name, fleet.logOf(bench().host(name))]));
  for (const [name, log] of logs) {
    const lines = log.split("\n").filter((line) => line.includes("the holder (MASTER)"));
    // What moved while a node was dead or cut off it cannot log; its history has it.
    const missed = [killed, cut].filter((one) => one === name).length;
    expect(lines.length, `${name}: ${lines.join("\n")}`).toBeGreaterThanOrEqual(holders.length - 1 - missed);
    for (const line of lines) expect(line).toMatch(/token|"reason"/u);
  }
  expect(logs.get(holders[0] ?? "")).toMatch(/lost: the lease expired before a heartbeat was confirmed/u);
  expect(logs.get(cut)).toMatch(/link-down|lease-expired/u);
  expect(logs.get(stepped)).toContain("step-down was requested");
  expect(logs.get(current())).toContain(lan.client.mac);
});

// Virtual MACs: whoever holds the VIP, neighbours keep the MAC that they have, and no host sends anything with it that does
// not hold the VIP.

import { expect, test } from "vitest";
import { oneVip, VIP, VIP6 } from "./harness/fleet.ts";
import { forge, MacRecorder } from "./harness/mac-recorder.ts";
import type { Station } from "./harness/lan.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

const MAC = "00:00:5e:00:01:33";
const MAC6 = "00:00:5e:00:02:33";
const WITH_MAC = "    virtualMac: { id: 51 }\n";

test("a step-down, a kill, a stop: the client's neighbour entries stay as they are, and one host at a time sends with the MAC", async () => {
  const { lan, fleet, recorder, now } = bench();
  using macs = new MacRecorder(lan, [MAC, MAC6]);
  const [a, b] = await bench().startAll({}, `${WITH_MAC}    preempt: false\n`);
  using entries = macs.followNeighbours(lan.client, [VIP, VIP6]);
  const from = await bench().mark("a");
  expect(entries.now()).toEqual([MAC, MAC6]);
  await a?.admin.stepDown({ election: "web", to: null }, { timeoutMs: 2_000 });
  await b?.holds();
  await recorder.answered(VIP, (name) => name === "b", from);
  await recorder.answered(VIP6, (name) => name === "b", from);
  const socket = fleet.socketOf(lan.hosts[0] as Station);
  const verified = await fleet.vipctl(lan.hosts[0] as Station, ["who-owns", "web", "--verify", "--socket", socket]);
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining(MAC) });
  const killedAt = now();
  await b?.kill();
  await a?.holds();
  await recorder.answered(VIP, (name) => name === "a", killedAt);
  await recorder.answered(VIP6, (name) => name === "a", killedAt);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b", "a"]);
  expect(recorder.overlapMs(VIP, ["a", "b", "a"], from)).toBe(0);
  expect(macs.hands(MAC, from)).toEqual(["a", "b", "a"]);
  expect(macs.hands(MAC6, from)).toEqual(["a", "b", "a"]);
  expect(entries.ever()).toEqual([[MAC], [MAC6]]);
  const station = bench().host("a");
  a?.signal("SIGTERM");
  await a?.ended;
  expect(station.namespace.exec("nft", "list", "ruleset").trim()).toBe("");
  expect(station.namespace.exec("ip", "-o", "link")).not.toContain("vipd");
});

test("a frozen holder's kernel keeps in whatever has the MAC, from whichever interface and program, and so does a killed one's", async () => {
  const { lan, recorder, idle } = bench();
  using macs = new MacRecorder(lan, [MAC, MAC6]);
  const [a, b] = await bench().startAll({}, `${WITH_MAC}    preempt: false\n`);
  const host = bench().host("a");
  const links = ["eth0", "vipd4-51"];
  expect(forge(host, MAC, links)).toEqual(["sent", "sent"]);
  const from = await bench().mark("a");
  a?.signal("SIGSTOP");
  await b?.holds();
  await recorder.answered(VIP, (name) => name === "b", from);
  expect(deviceIsUp("a", "vipd4-51")).toBe(true);
  expect(forge(host, MAC, links)).toEqual(["refused", "refused"]);
  // The kernel itself sends reports of the groups that it joins.
  host.namespace.exec("ip", "link", "set", "vipd6-51", "down");
  host.namespace.exec("ip", "link", "set", "vipd6-51", "up");
  host.namespace.exec("ip", "maddress", "add", "33:33:00:00:00:77", "dev", "vipd6-51");
  a?.signal("SIGCONT");
  await a?.backs();
  await expect.poll(() => deviceIsUp("a", "vipd4-51"), { timeout: 5_000 }).toBe(false);
  const other = bench().host("b");
  await b?.kill();
  await a?.holds();
  expect(forge(other, MAC, links)).toEqual(["refused", "refused"]);
  await recorder.answered(VIP, (name) => name === "a", from);
  await idle(300);
  for (const mac of [MAC, MAC6]) expect(macs.hands(mac, from)).toEqual(["a", "b", "a"]);
  expect(recorder.overlapMs(VIP, ["a", "b", "a"], from)).toBe(0);
});

test("a holder that is killed and starts again within its lease moves nothing; one with another configuration leaves no device", async () => {
  const { lan, fleet, recorder, now } = bench();
  using macs = new MacRecorder(lan, [MAC, MAC6]);
  const a = fleet.start(bench().host("a"), { ttl: "2s", vips: oneVip(200, WITH_MAC) });
  await a.holds();
  const from = await bench().mark("a");
  using entries = macs.followNeighbours(lan.client, [VIP, VIP6]);
  await a.kill();
  const again = fleet.restart(bench().host("a"));
  await again.holds();
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
  expect(macs.hands(MAC, from)).toEqual(["a"]);
  expect(entries.ever()).toEqual([[MAC], [MAC6]]);
  await again.kill();
  fleet.configure(bench().host("a"), { ttl: "2s", vips: "  {}" });
  const other = fleet.restart(bench().host("a"));
  await other.until("has joined", ({ session }) => session.state === "live");
  expect(linksOf("a")).not.toContain("vipd");
});

test("a killed holder that is back after its lease takes down the devices whose addresses it removes", async () => {
  const { fleet } = bench();
  const [a, b] = await bench().startAll({}, `${WITH_MAC}    preempt: false\n`);
  await a?.kill();
  await b?.holds();
  expect(deviceIsUp("a", "vipd4-51")).toBe(true);
  const again = fleet.restart(bench().host("a"));
  await again.backs();
  await expect.poll(() => deviceIsUp("a", "vipd4-51"), { timeout: 5_000 }).toBe(false);
  expect(deviceIsUp("a", "vipd6-51")).toBe(false);
});

test("a reload turns the MAC off and on again in place: the VIP stays, its neighbours are told", async () => {
  const { lan, fleet, recorder, now } = bench();
  const host = bench().host("a");
  const a = fleet.start(host, { vips: oneVip(200, WITH_MAC) });
  const { elections } = await a.holds();
  await recorder.answered(VIP, () => true, now());
  const entry = (): string => lan.client.namespace.exec("ip", "neigh", "show", VIP);
  await expect.poll(entry, { timeout: 5_000 }).toContain(MAC);
  fleet.configure(host, { vips: oneVip(200) });
  a.signal("SIGHUP");
  await expect.poll(entry, { timeout: 5_000 }).toContain(host.mac);
  await expect.poll(() => linksOf("a"), { timeout: 5_000 }).not.toContain("vipd");
  const tables = (): string => host.namespace.exec("nft", "list", "tables");
  await expect.poll(tables, { timeout: 5_000 }).not.toContain("vipd-mac");
  fleet.configure(host, { vips: oneVip(200, WITH_MAC) });
  a.signal("SIGHUP");
  await expect.poll(entry, { timeout: 5_000 }).toContain(MAC);
  const after = await a.until("still holds it", (seen) => seen.elections[0]?.role === "holder");
  expect(after.elections[0]?.token).toBe(elections[0]?.token);
  await recorder.answered(VIP6, () => true, now());
  expect(a.log()).not.toMatch(/somebody removed|released: |lost: /u);
});

test("a device that somebody removes or takes down comes back; an interface below that is renamed takes the VIP with it", async () => {
  const { lan, recorder, now } = bench();
  using macs = new MacRecorder(lan, [MAC]);
  const [, b] = await bench().startAll({}, WITH_MAC);
  const host = bench().host("a");
  await bench().mark("a");
  host.namespace.exec("ip", "link", "delete", "vipd4-51");
  await recorder.answered(VIP, (name) => name === "a", now() + 50);
  expect(deviceIsUp("a", "vipd4-51")).toBe(true);
  const from = await bench().mark("a");
  host.namespace.exec("ip", "link", "set", "eth0", "name", "lan0");
  await b?.holds();
  await recorder.answered(VIP, (name) => name === "b", from);
  expect(host.namespace.exec("ip", "-o", "address", "show")).not.toContain(` ${VIP}/`);
  // The move is so quick that a may have sent nothing with it since.
  expect(["a", ...macs.hands(MAC, from).filter((name, i) => i > 0 || name !== "a")]).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
});

test("the interface below is taken out and comes back: the VIP moves with its MAC, and the host is as good as before", async () => {
  const { lan, recorder } = bench();
  using macs = new MacRecorder(lan, [MAC, MAC6]);
  const [a, b] = await bench().startAll({}, `${WITH_MAC}    preempt: false\n`);
  const host = bench().host("a");
  const from = await bench().mark("a");
  let putBack = host.takeOut();
  await b?.holds();
  await recorder.answered(VIP, (name) => name === "b", from);
  const gone = await a?.until("stands back", ({ elections: [web] }) => web?.ineligibleReasons[0]?.source === "link");
  expect(gone?.elections[0]?.ineligibleReasons[0]?.reason).toBe("eth0 is missing");
  expect(host.namespace.exec("ip", "-o", "link")).not.toContain("vipd");
  putBack();
  await a?.backs();
  // While it backs the VIP, too.
  putBack = host.takeOut();
  await a?.until("stands back", ({ elections: [web] }) => web?.ineligibleReasons[0]?.source === "link");
  putBack();
  await a?.backs();
  await a?.until("is a candidate", ({ elections: [web] }) =>
    (web?.candidates ?? []).every(({ alive, eligible }) => alive && eligible),
  );
  const returned = await bench().mark("b");
  await b?.admin.stepDown({ election: "web", to: "a" }, { timeoutMs: 2_000 });
  await a?.holds();
  await recorder.answered(VIP6, (name) => name === "a", returned);
  await recorder.answered(VIP, (name) => name === "a", returned);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b", "a"]);
  for (const mac of [MAC, MAC6]) expect(macs.hands(mac, from).slice(-2)).toEqual(["b", "a"]);
  expect(recorder.overlapMs(VIP, ["a", "b", "a"], from)).toBe(0);
  a?.signal("SIGTERM");
  await a?.ended;
  expect(host.namespace.exec("nft", "list", "ruleset").trim()).toBe("");
  expect(host.namespace.exec("ip", "-o", "link")).not.toContain("vipd");
});

test("settings with which a host is not asked any more move the VIP, and it is a candidate again without them", async () => {
  const { recorder } = bench();
  const [a, b] = await bench().startAll({}, WITH_MAC);
  const host = bench().host("a");
  const from = await bench().mark("a");
  host.namespace.exec("sysctl", "-qw", "net.ipv4.conf.all.arp_filter=1");
  await b?.holds();
  await recorder.answered(VIP, (name) => name === "b", from);
  const seen = await a?.until("stands back", ({ elections: [web] }) => web?.ineligibleReasons.length === 1);
  expect(seen?.elections[0]?.ineligibleReasons[0]).toMatchObject({
    source: "arp-settings",
    reasonCode: "arp-settings",
  });
  host.namespace.exec("sysctl", "-qw", "net.ipv4.conf.all.arp_filter=0");
  await a?.holds();
  await recorder.answered(VIP, (name) => name === "a", from);
  expect(recorder.overlapMs(VIP, ["a", "b", "a"], from)).toBe(0);
});

test("another station with the same MAC is told as somebody else who answers", async () => {
  const { fleet } = bench();
  const a = fleet.start(bench().host("a"), { vips: oneVip(200, `${WITH_MAC}    probeInterval: 1s\n`) });
  await a.holds();
  const rival = bench().host("b").namespace;
  // Its eth0 would answer, and ask, in the VIP's name, too, with its own MAC.
  rival.exec("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2");
  rival.exec("ip", "link", "add", "rival", "link", "eth0", "address", MAC, "type", "macvlan", "mode", "private");
  rival.exec("ip", "link", "set", "rival", "up");
  rival.exec("ip", "address", "add", `${VIP}/24`, "dev", "rival");
  const seen = await a.until("sees the rival", ({ elections: [web] }) => web?.conflict !== null, 15_000);
  expect(seen.elections[0]?.conflict).toBe(MAC);
});

function linksOf(name: string): string {
  return bench().host(name).namespace.exec("ip", "-o", "link");
}

function deviceIsUp(name: string, device: string): boolean {
  return bench().host(name).namespace.exec("ip", "-o", "link", "show", device).includes(",UP");
}

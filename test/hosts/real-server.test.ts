// LVS by direct routing: two directors compete for the VIP, and forward its packets to two real servers, which answer the client
// themselves under the VIP. Nobody but the director that holds it ever says who has the VIP.

import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { oneVip, VIP, VIP6 } from "./harness/fleet.ts";
import type { Station } from "./harness/lan.ts";
import { eventually } from "../linux/namespaces.ts";
import { direct, serve, ServiceClient } from "./harness/lvs.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b", "r1", "r2"]);

const SERVER = `realServers:\n  web: { addresses: [${VIP}, "${VIP6}"], interfaces: [eth0] }`;

/** What of a real server a host has: the VIP on lo, and the settings of eth0. */
function traces({ namespace }: Station): string {
  const onLo = namespace.exec("ip", "-o", "address", "show", "dev", "lo").match(/[\d:.a-f]+50\/\d+/gu) ?? [];
  const settings = ["arp_ignore", "arp_announce"].map((name) =>
    namespace.exec("cat", `/proc/sys/net/ipv4/conf/eth0/${name}`).trim(),
  );
  return [...onLo, ...settings].join(" ");
}

const UP = `${VIP}/32 ${VIP6}/128 1 2`;
const DOWN = "0 0";

test("a client is served under the VIP by both real servers, also after the director is killed; directors alone answer for the VIP", async () => {
  const { fleet, lan, recorder, host, now, mark4, outOfTurnMs } = bindAll();
  const [a, b, r1, r2] = [host("a"), host("b"), host("r1"), host("r2")];
  // One has a daemon that looks after it, the other one has vipctl alone.
  const server = fleet.start(r1, { store: null, vips: "  {}", extra: SERVER });
  await server.until("is a real server", ({ realServers }) => realServers[0]?.trouble === null);
  const up = await fleet.vipctl(r2, [
    ...["realserver", "up", "web"],
    ...["-c", fleet.configure(r2, { store: null, vips: "  {}", extra: SERVER })],
  ]);
  expect(up).toEqual({
    code: 0,
    stdout: `this host is a real server of web: ${VIP}, ${VIP6} on lo, silent\n`,
    stderr: "",
  });
  expect([traces(r1), traces(r2)]).toEqual([UP, UP]);
  for (const director of [a, b]) direct(director, VIP, [r1, r2]);
  const ends = [r1, r2].map((real) => serve(real, VIP));
  const client = new ServiceClient(lan.client, VIP);
  try {
    const first = fleet.start(a, { vips: oneVip(200) });
    await first.holds();
    const second = fleet.start(b, { vips: oneVip(180) });
    await second.backs();
    await client.answeredBy(["r1", "r2"], now());
    const from = await mark4("a");
    await first.kill();
    await second.holds();
    const taken = await recorder.answered(VIP, (name) => name === "b", from);
    await client.answeredBy(["r1", "r2"], taken.at);
    expect(outOfTurnMs("a", from)).toBe(0);
    expect(recorder.hands(VIP)).toEqual(["a", "b"]);
    expect(recorder.hands(VIP6)).toEqual(["a", "b"]);
    expect(new Set(client.answers.map(({ by }) => by))).toEqual(new Set(["r1", "r2"]));
  } finally {
    client.close();
    for (const end of ends) end();
  }
});

test("a real server outlives its daemon; a reload takes it down, and puts back what the settings were", async () => {
  const { fleet, host } = bindAll();
  const r1 = host("r1");
  const file = fleet.configure(r1, { store: null, vips: "  {}", extra: SERVER });
  const first = fleet.restart(r1);
  await first.until("is a real server", ({ realServers }) => realServers[0]?.trouble === null);
  await first.kill();
  expect(traces(r1)).toBe(UP);
  const second = fleet.restart(r1);
  await second.until("is a real server", ({ realServers }) => realServers[0]?.trouble === null);
  // What is down by hand stays down, also over a restart of the daemon.
  expect((await fleet.vipctl(r1, ["realserver", "down", VIP, "-c", file])).code).toBe(0);
  expect(traces(r1)).toBe(DOWN);
  await second.until("is down by hand", ({ realServers }) => realServers[0]?.state === "down");
  const shown = await fleet.vipctl(r1, ["realserver", "show", "-c", file]);
  expect(shown).toMatchObject({ code: 0, stdout: `real server of web: ${VIP} ${VIP6} from eth0, down by hand\n` });
  expect((await fleet.vipctl(r1, ["realserver", "up", "web", "-c", file])).code).toBe(0);
  await second.until("is up again", ({ realServers }) => realServers[0]?.state === "up");
  // Rules that somebody flushes are put back.
  r1.namespace.exec("nft", "flush", "ruleset");
  second.signal("SIGHUP");
  await eventually("the flush is told", () => second.log().includes("are gone; it is put right"), 10_000);
  expect(r1.namespace.exec("nft", "list", "tables")).toContain("arp vipd-real");
  fleet.configure(r1, { store: null, vips: "  {}", extra: "realServers: {}" });
  second.signal("SIGHUP");
  await second.until("is no real server", ({ realServers }) => realServers.length === 0);
  expect(traces(r1)).toBe(DOWN);
  expect(r1.namespace.exec("nft", "list", "tables")).not.toContain("vipd-real");
});

test("a node is not candidate and real server of one VIP: by the file, by vipctl, and by what the kernel guards", async () => {
  const { fleet, host } = bindAll();
  const a = host("a");
  const both = fleet.configure(a, { vips: oneVip(200), extra: SERVER });
  const check = await fleet.vipd(a, ["--check", "-c", both]);
  expect(check.code).toBe(78);
  expect(check.stderr).toMatch(
    /yaml:\d+:\d+: realServers\.web\.addresses\[0\]: this node is a candidate for 10\.77\.0\.50 \(vips\.web\.addresses\[0\]\), and cannot be its real server: .*; have one host, or one network namespace/u,
  );
  // By hand first: the daemon stands back from the VIP, until it is taken down.
  const alone = `${fleet.directory}/alone.yaml`;
  writeFileSync(alone, `stateDir: ${fleet.directory}/state-a-a\nrealServers: {}\n`);
  const up = await fleet.vipctl(a, ["realserver", "up", VIP, "--interface", "eth0", "-c", alone]);
  expect([up.code, up.stderr]).toEqual([0, ""]);
  const daemon = fleet.start(a, { vips: oneVip(200) });
  const status = await daemon.until(
    "stands back",
    ({ elections }) => elections[0]?.ineligibleReasons[0]?.reasonCode === "real-server",
  );
  expect(status.elections[0]?.ineligibleReasons[0]?.reason).toMatch(
    /this host is a real server of 10\.77\.0\.50, .* run: vipctl realserver down 10\.77\.0\.50/u,
  );
  expect(status.realServers).toMatchObject([{ name: VIP, by: "hand", state: "up" }]);
  expect((await fleet.vipctl(a, ["realserver", "down", VIP, "-c", alone])).code).toBe(0);
  await daemon.holds();
  // And the daemon first: the file that vipctl reads says nothing of the VIP, and the kernel does.
  const late = await fleet.vipctl(a, ["realserver", "up", VIP, "--interface", "eth0", "-c", alone]);
  expect(late).toMatchObject({ code: 1, stdout: "" });
  expect(late.stderr).toMatch(/^a vipd of this host is a candidate for 10\.77\.0\.50, and guards it: /u);
  const named = await fleet.vipctl(a, ["realserver", "up", "web", "-c", fleet.configFile(a)]);
  expect(named.code).toBe(1);
  expect(named.stderr).toMatch(/^this node is a candidate for web \(vips\.web\), and cannot be its real server/u);
});

/** The bench with its methods bound, so that a test can take it apart. */
function bindAll(): ReturnType<typeof bench> {
  const it = bench();
  it.host = it.host.bind(it);
  it.mark4 = it.mark4.bind(it);
  it.outOfTurnMs = it.outOfTurnMs.bind(it);
  return it;
}

// vipd in VRRP mode, without a store, beside a real keepalived: who answers for the VIP on the wire, and never two.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { DaemonProcess, NodeSettings } from "../hosts/harness/fleet.ts";
import { VIP } from "../hosts/harness/fleet.ts";
import { useFleet } from "../hosts/harness/use-fleet.ts";
import { type Dialect, Keepalived } from "./parties.ts";

const bench = useFleet(["a", "b"], [VIP]);
const QUICK: Dialect = {
  version: 3,
  intervalMs: 200,
  unicast: false,
  vip: VIP,
  own: "10.77.0.11",
  theirs: "10.77.0.12",
};
const USUAL: Dialect = { ...QUICK, version: 2, intervalMs: 1_000, password: "secret" };

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A keepalived on host b. */
function keepalived(dialect: Dialect): Keepalived {
  return new Keepalived({ peer: bench().host("b").namespace, onClose: (closer) => void closers.push(closer) }, dialect);
}

function settings({ version, intervalMs, password, unicast, theirs }: Dialect, more: string): NodeSettings {
  const secret = password === undefined ? "" : `, authentication: ${password}`;
  const peers = unicast ? `, unicastPeers: [${theirs}]` : "";
  const vrrp = `{ id: 51, version: ${version}, interval: ${intervalMs}ms${secret}${peers} }`;
  const vips = `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    election: vrrp\n    vrrp: ${vrrp}\n${more}`;
  return { store: null, vips };
}

/** vipd on host a. */
function vipd(dialect: Dialect, more: string): DaemonProcess {
  return bench().fleet.start(bench().host("a"), settings(dialect, more));
}

/** What a backup of this priority waits for at most, with time for a machine at work. */
const downMs = ({ version, intervalMs }: Dialect, priority: number): number =>
  3 * intervalMs + ((256 - priority) / 256) * (version === 2 ? 1_000 : intervalMs) + 250;

const DIALECTS = [
  { name: "version 2, password", ...USUAL },
  { name: "version 3", ...QUICK },
  { name: "version 3, unicast", ...QUICK, unicast: true },
];

test.each(DIALECTS)("$name: as backup it follows a keepalived that stops, and one that dies", async (dialect) => {
  const { recorder } = bench();
  const peer = keepalived(dialect).start(150);
  await peer.untilMaster();
  const daemon = vipd(dialect, "    priority: 100\n");
  const backup = await daemon.backs("web", 15_000);
  expect(backup.elections[0]).toMatchObject({
    holder: dialect.theirs,
    elector: "vrrp",
    token: null,
    role: "candidate",
  });
  const from = await bench().mark("b", [VIP]);

  await peer.stop();
  const stopped = bench().now();
  await daemon.holds();
  const first = await recorder.answered(VIP, (host) => host === "a", from);
  expect(first.at - stopped).toBeLessThan(downMs(dialect, 100) - 3 * dialect.intervalMs);
  expect(recorder.hands(VIP, from)).toEqual(["b", "a"]);
  expect(recorder.overlapMs(VIP, ["b", "a"], from)).toBe(0);

  peer.start(150);
  await daemon.backs("web", 15_000);
  await recorder.answered(VIP, (host) => host === "b", bench().now());
  const killed = await bench().mark("b", [VIP]);
  await peer.crash();
  await daemon.holds();
  expect(bench().now() - killed).toBeLessThan(downMs(dialect, 100) + dialect.intervalMs);
  await recorder.answered(VIP, (host) => host === "a", killed);
  expect(recorder.hands(VIP, killed)).toEqual(["b", "a"]);
  expect(recorder.overlapMs(VIP, ["b", "a"], killed)).toBe(0);
});

test.each(DIALECTS)(
  "$name: a master that is frozen is silent before keepalived answers, and stays so",
  async (dialect) => {
    const { recorder, idle } = bench();
    const daemon = vipd(dialect, "    priority: 200\n    preempt: false\n");
    await daemon.holds("web", 15_000);
    const peer = keepalived(dialect).start(100);
    await idle(downMs(dialect, 100) + dialect.intervalMs);
    expect(peer.holds).toBe(false);
    const from = await bench().mark("a", [VIP]);
    daemon.signal("SIGSTOP");
    await peer.untilMaster();
    await recorder.answered(VIP, (host) => host === "b", from);
    await idle(500);
    daemon.signal("SIGCONT");
    await daemon.backs();
    await idle(300);
    expect(recorder.hands(VIP, from)).toEqual(["a", "b"]);
    expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
    expect(bench().isBound(bench().host("a"), VIP)).toBe(false);
  },
);

test("a master that is killed is silenced by its kernel before keepalived answers", async () => {
  const { recorder, idle } = bench();
  const daemon = vipd(QUICK, "    priority: 200\n");
  await daemon.holds("web", 15_000);
  const peer = keepalived(QUICK).start(100);
  await idle(downMs(QUICK, 100));
  const from = await bench().mark("a", [VIP]);
  await daemon.kill();
  await peer.untilMaster();
  await recorder.answered(VIP, (host) => host === "b", from);
  await idle(500);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
});

test("a stop and a step-down are farewells: keepalived follows after its skew", async () => {
  const { recorder, fleet, now } = bench();
  const daemon = vipd(QUICK, "    priority: 200\n");
  await daemon.holds("web", 15_000);
  const peer = keepalived(QUICK).start(100);
  await bench().idle(downMs(QUICK, 100));
  const from = await bench().mark("a", [VIP]);
  const a = bench().host("a");
  const moved = await fleet.vipctl(a, ["step-down", "web", "-c", fleet.configFile(a)]);
  expect(moved).toMatchObject({ code: 0, stderr: "" });
  expect(moved.stdout).toContain("web is held by 10.77.0.12 now");
  await recorder.answered(VIP, (host) => host === "b", from);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
  await peer.stop();
  await daemon.holds();
  peer.start(100);
  await bench().idle(downMs(QUICK, 100));

  const stopping = await bench().mark("a", [VIP]);
  daemon.signal("SIGTERM");
  expect(await daemon.ended).toMatchObject({ code: 0 });
  const ended = now();
  const { at } = await recorder.answered(VIP, (host) => host === "b", stopping);
  expect(at - ended).toBeLessThan(downMs(QUICK, 100) - 3 * QUICK.intervalMs);
  expect(recorder.overlapMs(VIP, ["a", "b"], stopping)).toBe(0);
});

test("status, who-owns and history say what a node knows, and what VRRP cannot promise", async () => {
  const { fleet } = bench();
  const daemon = vipd(QUICK, "    priority: 200\n");
  await daemon.holds("web", 15_000);
  const a = bench().host("a");
  const where = ["-c", fleet.configFile(a)];
  const status = await fleet.vipctl(a, ["status", ...where]);
  expect(status).toMatchObject({ code: 0, stderr: "" });
  expect(status.stdout).toContain("no store: VRRP");
  expect(status.stdout).toContain("routers that do not hear each other are all masters");
  const owner = await fleet.vipctl(a, ["who-owns", VIP, ...where]);
  expect(owner.code).toBe(0);
  expect(owner.stdout).toContain("web is held by a");
  expect(owner.stdout).toContain("routers that do not hear each other are all masters");
  const history = await fleet.vipctl(a, ["history", "web", ...where]);
  expect(history.stdout).toContain("no master was heard in time");
  expect(daemon.log()).toContain("routers that do not hear each other are all masters");
  await daemon.kill();
  const without = await fleet.vipctl(a, ["status", ...where]);
  expect(without.code).toBe(69);
  expect(without.stderr).toContain("the daemon alone knows");

  const next = fleet.restart(a);
  await next.holds("web", 15_000);
  const both = await fleet.vipctl(a, ["history", "web", ...where]);
  expect(both.stdout.match(/no master was heard in time/gu)).toHaveLength(2);
  expect(both.stdout.match(/vipd was started/gu)).toHaveLength(1);
});

test("vipctl vrrp listen shows a real keepalived, to other hosts", async () => {
  const { fleet } = bench();
  const peer = keepalived(USUAL).start(150);
  await peer.untilMaster();
  const [a, b] = [bench().host("a"), bench().host("b")];
  const alone = await fleet.vipctl(a, ["vrrp", "listen", "eth0", "--for", "2500ms"]);
  expect(alone).toMatchObject({ code: 0, stderr: "" });
  expect(alone.stdout).toMatch(/^eth0 +51 +10\.77\.0\.12 +150 +1s +2 +password +multicast .* ago +10\.77\.0\.50$/mu);
  const own = await fleet.vipctl(b, ["vrrp", "listen", "--json", "--for", "1500ms"]);
  expect(own.code, "its own host does not hear its adverts").toBe(1);
});

test("two masters that see each other are told of, to onConflict too", async () => {
  const [script, notes] = ["conflict.sh", "conflicts"].map((name) => join(bench().fleet.directory, name));
  writeFileSync(script ?? "", `#!/bin/sh\necho "$VIPD_STATE $VIPD_ELECTION" >> ${notes}\n`, { mode: 0o755 });
  const daemon = vipd(QUICK, `    priority: 200\n    hooks: { onConflict: [${script}] }\n`);
  await daemon.holds("web", 15_000);
  // keepalived hears nothing, and is heard.
  const nft = (...rule: readonly string[]): string =>
    bench()
      .host("b")
      .namespace.exec("nft", ...rule);
  nft("add", "table", "netdev", "cut");
  nft("add", "chain", "netdev", "cut", "in", "{ type filter hook ingress device eth0 priority 0; }");
  nft("add", "rule", "netdev", "cut", "in", "ip", "protocol", "112", "drop");
  const peer = keepalived(QUICK).start(100);
  await peer.untilMaster();
  const status = await daemon.until("sees the conflict", ({ elections }) => elections[0]?.conflict !== null);
  expect(status.elections[0]?.conflict).toContain("the VRRP master 10.77.0.12, priority 100");
  expect(status.warnings.join()).toContain("somebody else answers for web");
  await expect.poll(() => readFileSync(notes ?? "", "utf8"), { timeout: 10_000 }).toBe("CONFLICT web\n");
  nft("delete", "table", "netdev", "cut");
  await peer.untilBackup();
  await daemon.until("the conflict is over", ({ elections }) => elections[0]?.conflict === null, 30_000);
});

test("a reload changes addresses, priority and interval in place", async () => {
  const { fleet, idle } = bench();
  const daemon = vipd(QUICK, "    priority: 200\n");
  await daemon.holds("web", 15_000);
  const slow = { ...QUICK, intervalMs: 300 };
  const more = settings(slow, "    priority: 120\n");
  fleet.configure(bench().host("a"), {
    ...more,
    vips: more.vips.replace(`[${VIP}/24]`, `[${VIP}/24, 10.77.0.51/24]`),
  });
  daemon.signal("SIGHUP");
  await daemon.until("has the new priority", ({ elections }) => elections[0]?.priority === 120);
  await idle(900);
  const status = await daemon.holds();
  expect(status.elections[0]).toMatchObject({ addresses: [`${VIP}/24`, "10.77.0.51/24"], ttlMs: 900 });
  expect(bench().isBound(bench().host("a"), "10.77.0.51")).toBe(true);
});

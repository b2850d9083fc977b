// What a keepalived pair does, with a real nginx: it is checked, repaired, and given up only when it cannot be repaired; two VIPs,
// each node master of one; nobody healthy; a hook for each transition, in order.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DaemonProcess, oneVip, VIP } from "./harness/fleet.ts";
import { Nginx } from "./harness/nginx.ts";
import { useFleet } from "./harness/use-fleet.ts";

const OTHER = "10.77.0.60";
const bench = useFleet(["a", "b"], [VIP, OTHER]);
let servers: readonly Nginx[] = [];

beforeEach(() => {
  servers = bench().lan.hosts.map((host) => new Nginx(host, bench().fleet.directory));
  for (const server of servers) server.start();
});
afterEach(() => {
  for (const server of servers) server.kill();
});

const serverOf = (name: string): Nginx => {
  const server = servers.find(({ host }) => host.name === name);
  if (server === undefined) throw new Error(`no server on ${name}`);
  return server;
};

/** The check of a host's nginx, with the command that repairs it. */
function checkOf({ host, command }: Nginx, more = ""): string {
  const recover = `recover: { run: ${JSON.stringify(command)}, wait: 200ms }`;
  return `checks:\n  nginx: { http: "http://${host.ip}/", interval: 200ms, fall: 2, ${recover}${more} }`;
}

/** A script that notes what it is told, and the lines that it has noted. */
function notebook(name: string): { readonly script: string; readonly lines: () => readonly string[] } {
  const [script, notes] = ["notify.sh", "notes"].map((part) => join(bench().fleet.directory, `${name}-${part}`));
  if (script === undefined || notes === undefined) throw new Error("two names");
  writeFileSync(script, `#!/bin/sh\necho "$VIPD_STATE $VIPD_REASON $*" >> ${notes}\n`, { mode: 0o755 });
  const read = (): string => (existsSync(notes) ? readFileSync(notes, "utf8").trim() : "");
  return { script, lines: () => read().split("\n") };
}

/** A pair with one VIP; nobody pre-empts, unless told otherwise. */
async function pair(more = "    preempt: false\n"): Promise<readonly [DaemonProcess, DaemonProcess]> {
  const daemons: DaemonProcess[] = [];
  for (const [i, server] of servers.entries()) {
    const { script } = notebook(server.host.name);
    const hooks = `    hooks: { notify: [${script}], onConflict: [${script}], arguments: keepalived }\n`;
    const vips = oneVip(200 - i * 20, `    checks: [nginx]\n${hooks}${more}`);
    const daemon = bench().fleet.start(server.host, { vips, extra: checkOf(server) });
    daemons.push(daemon);
    await (i === 0 ? daemon.holds() : daemon.backs());
  }
  const [a, b] = daemons;
  if (a === undefined || b === undefined) throw new Error("a pair is two");
  return [a, b];
}

/** Who serves the address, as the client sees it. */
const served = (ip: string): string => {
  const { client } = bench().lan;
  const script = `fetch("http://${ip}/").then((r) => r.text()).then((t) => process.stdout.write(t))`;
  return client.namespace.exec(bench().fleet.node, "-e", script);
};

test("a dead nginx is started again, and the VIP stays", async () => {
  const [a] = await pair();
  const from = await bench().mark4("a");
  const server = serverOf("a");
  server.kill();
  await expect.poll(() => server.pids().length, { timeout: 10_000 }).toBeGreaterThan(0);
  await expect.poll(() => a.log(), { timeout: 5_000 }).toContain("its recovery has helped");
  expect(served(VIP)).toBe("a");
  expect(bench().recorder.hands(VIP, from)).toEqual(["a"]);
});

test("an nginx that cannot be started gives the VIP up; scripts are told; repaired, nothing moves back", async () => {
  const [a, b] = await pair();
  const { recorder, idle } = bench();
  const from = await bench().mark4("a");
  serverOf("a").breakConfig();
  serverOf("a").kill();
  await b.holds();
  await recorder.answered(VIP, (name) => name === "b", from);
  expect(served(VIP)).toBe("b");
  const status = await a.until("is not fit", ({ elections: [web] }) => web?.eligible === false);
  expect(status.elections[0]?.ineligibleReasons).toMatchObject([
    { source: "check", reasonCode: "check-failed" },
    { source: "flapping", reasonCode: "check-failed" },
  ]);
  expect(status.checks).toMatchObject([{ name: "nginx", verdict: "failed" }]);
  serverOf("a").repair();
  serverOf("a").start();
  await a.backs();
  await idle(1_500);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
  await expect
    .poll(() => notebook("a").lines(), { timeout: 5_000 })
    .toEqual([
      expect.stringMatching(/^BACKUP started INSTANCE web BACKUP /u),
      expect.stringMatching(/^MASTER first-holder INSTANCE web MASTER 200$/u),
      "FAULT check-failed INSTANCE web FAULT 200",
      "BACKUP fit-again INSTANCE web BACKUP 200",
    ]);
  expect(notebook("b").lines().at(-1)).toBe("MASTER check-failed INSTANCE web MASTER 180");
});

test("a repaired node of higher priority gets the VIP back where it pre-empts", async () => {
  const [a, b] = await pair("    preemptDelay: 300ms\n");
  serverOf("a").breakConfig();
  serverOf("a").kill();
  await b.holds();
  serverOf("a").repair();
  serverOf("a").start();
  await a.holds();
  await bench().recorder.answered(VIP, (name) => name === "a", bench().now());
});

test("where all are sick, the holder keeps the VIP until somebody is healthy", async () => {
  const [a, b] = await pair();
  const from = await bench().mark4("a");
  for (const server of servers) {
    server.breakConfig();
    server.kill();
  }
  for (const daemon of [a, b]) await daemon.until("is sick", ({ elections: [web] }) => web?.eligible === false);
  await bench().idle(1_000);
  expect(bench().recorder.hands(VIP, from).at(-1)).toBe((await a.until("any", () => true)).elections[0]?.holder);
  serverOf("b").repair();
  serverOf("b").start();
  await b.holds();
  await bench().recorder.answered(VIP, (name) => name === "b", bench().now());
});

test("where a sick server is worse than none, nobody holds the VIP", async () => {
  const [a, b] = await pair("    lastResort: drop\n");
  for (const server of servers) {
    server.breakConfig();
    server.kill();
  }
  for (const daemon of [a, b])
    await daemon.until("nobody holds it", ({ elections: [web] }) => web?.holder === null && web.eligible === false);
  for (const { host } of servers) expect(bench().isBound(host, VIP)).toBe(false);
});

test("two VIPs, each node master of one; one host dies, and the other has both; back, each has its own", async () => {
  const vips = (web: number, mail: number): string =>
    [`  web: { interface: eth0, addresses: [${VIP}/24], priority: ${web}, preemptDelay: 0s, checks: [nginx] }`]
      .concat(
        `  mail: { interface: eth0, addresses: [${OTHER}/24], priority: ${mail}, preemptDelay: 0s, checks: [nginx] }`,
      )
      .join("\n");
  const { fleet, recorder } = bench();
  const [first, second] = servers;
  if (first === undefined || second === undefined) throw new Error("a pair is two");
  const a = fleet.start(first.host, { vips: vips(150, 100), extra: checkOf(first) });
  const b = fleet.start(second.host, { vips: vips(100, 150), extra: checkOf(second) });
  await Promise.all([a.holds("web"), b.holds("mail")]);
  expect([served(VIP), served(OTHER)]).toEqual(["a", "b"]);
  await b.kill();
  await a.holds("mail");
  await recorder.answered(OTHER, (name) => name === "a", bench().now());
  expect([served(VIP), served(OTHER)]).toEqual(["a", "a"]);
  await fleet.restart(second.host).holds("mail");
  await recorder.answered(OTHER, (name) => name === "b", bench().now());
  expect([served(VIP), served(OTHER)]).toEqual(["a", "b"]);
});

test("somebody else who answers for the VIP is told to onConflict within seconds, with the hardware address", async () => {
  const [a] = await pair("    preempt: false\n    probeInterval: 1s\n");
  const { client } = bench().lan;
  client.namespace.exec("ip", "address", "add", `${VIP}/24`, "dev", "eth0");
  const status = await a.until("sees the other one", ({ elections: [web] }) => (web?.conflict ?? null) !== null, 5_000);
  expect(status.elections[0]?.conflict).toContain(client.mac);
  const told = (): string | undefined => notebook("a").lines().at(-1);
  await expect.poll(told, { timeout: 5_000 }).toBe("CONFLICT conflict INSTANCE web CONFLICT 200");
});

test("an election without address has one holder, whose hook is told; it moves when the holder dies", async () => {
  const { fleet } = bench();
  const [a, b] = bench().lan.hosts.map((host, i) => {
    const { script } = notebook(host.name);
    return fleet.start(host, {
      vips: `  job: { priority: ${200 - i}, preempt: false, hooks: { notify: [${script}] } }\n`,
    });
  });
  await Promise.race([a?.holds("job"), b?.holds("job")]);
  const holder = (await a?.until("somebody holds it", ({ elections: [job] }) => (job?.holder ?? null) !== null))
    ?.elections[0];
  const [first, second] = holder?.holder === "a" ? [a, b] : [b, a];
  await expect
    .poll(
      () =>
        notebook(first?.host.name ?? "")
          .lines()
          .at(-1),
      { timeout: 5_000 },
    )
    .toContain("MASTER");
  expect(first?.host.namespace.exec("nft", "list", "ruleset")).not.toContain("10.77.0.");
  first?.signal("SIGTERM");
  await expect(first?.ended).resolves.toEqual({ code: 0, signal: null });
  await second?.holds("job");
  expect(
    notebook(first?.host.name ?? "")
      .lines()
      .at(-1),
  ).toContain("STOP shutdown");
  await expect
    .poll(
      () =>
        notebook(second?.host.name ?? "")
          .lines()
          .at(-1),
      { timeout: 5_000 },
    )
    .toContain("MASTER");
});

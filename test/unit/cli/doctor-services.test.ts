// vipctl doctor on checks and services: what each check says now and what it would do, and who listens on a VIP itself.

import { describe, expect, test } from "vitest";
import { parseListeners } from "../../../src/cli/doctor/listeners.ts";
import { judgeCheck } from "../../../src/cli/doctor/check-runs.ts";
import { judgeServices } from "../../../src/cli/doctor/services.ts";
import type { ServicesReport } from "../../../src/cli/deps.ts";
import type { Config } from "../../../src/config/types.ts";
import { type CheckResult, checkResult } from "../../../src/health/result.ts";
import { parse } from "../config/files.ts";

const FILE = `
store: sqlite:/s.db
checks:
  nginx: { http: http://127.0.0.1/, fall: 3, recover: { run: [systemctl, restart, nginx] } }
  load: { file: /run/load, wants: number, weight: -2 }
  spare: { tcp: "10.0.0.10:80", weight: 20 }
  off: { file: /run/off, wants: present, reverse: true }
vips:
  web: { interface: eth0, addresses: [10.0.0.10/24, "2001:db8::10/64"], checks: [nginx, load, spare, off] }
  db: { interface: eth0, addresses: [10.0.0.11/24], priority: 240, lastResort: drop, checks: [nginx, spare] }
`;
const CONFIG: Config = parse(FILE);

function judged(name: string, result: CheckResult): { level: string; text: string; fix: string | null } {
  const plan = CONFIG.checks.find((check) => check.name === name);
  if (plan === undefined) throw new Error(`no check ${name}`);
  const { level, text, fix } = judgeCheck(plan, result, CONFIG);
  return { level, text, fix };
}

describe("a check that was run once", () => {
  test("and is ok is told with what it found", () => {
    expect(judged("nginx", checkResult("ok", "HTTP 200"))).toEqual({
      level: "ok",
      text: "nginx: ok: HTTP 200",
      fix: null,
    });
  });

  test("and failed: who would not be held, what is tried before, and after how many failures", () => {
    expect(judged("nginx", checkResult("failed", "HTTP 503", { lastLine: "no backend" }))).toEqual({
      level: "warning",
      text: "nginx: failed: HTTP 503 (no backend); this node does not hold web while another one is healthy; this node does not hold db",
      fix: "this counts after 3 failures in a row, and once nginx was tried in vain; look at what it asks for, or at the check",
    });
  });

  test("moves the priority, within its bounds", () => {
    expect(judged("spare", checkResult("ok", "connected")).text).toBe(
      "spare: ok: connected; priority of web 100 -> 120; priority of db 240 -> 254, the bound",
    );
    expect(judged("load", checkResult("ok", "7", { value: 7 })).text).toBe("load: ok: 7; priority of web 100 -> 86");
    expect(judged("spare", checkResult("timed-out", "did not end within 1000 ms")).level).toBe("warning");
  });

  test("and is ok where it should not be keeps this node from the VIP", () => {
    expect(judged("off", checkResult("ok", "/run/off is there"))).toMatchObject({
      level: "warning",
      text: "off: ok: /run/off is there; this node does not hold web while another one is healthy",
    });
  });
});

describe("services", () => {
  const report = (change: Partial<ServicesReport>): ServicesReport => ({
    nonlocalBind: { 4: false, 6: false },
    listeners: [],
    ...change,
  });
  const told = (services: ServicesReport, config = CONFIG): readonly string[] =>
    judgeServices(config, services)
      .filter(({ about }) => about === "network")
      .map(({ level, text, fix }) => `${level}: ${text}${fix === null ? "" : `; ${fix}`}`);

  test("on all addresses, or on others than VIPs, need nothing", () => {
    const listeners = [
      { ip: "0.0.0.0", port: 80 },
      { ip: "10.0.0.1", port: 22 },
    ];
    expect(told(report({ listeners }))).toEqual([]);
  });

  test("on a VIP itself cannot start where it is not held, unless the kernel lets them", () => {
    const listeners = [80, 443, 80].map((port) => ({ ip: "10.0.0.10", port }));
    expect(told(report({ listeners }))).toEqual([
      "warning: web: a service listens on 10.0.0.10 itself (port 80, 443): it cannot start on a node that does not hold the VIP; set net.ipv4.ip_nonlocal_bind to 1 on all nodes (/etc/sysctl.d), or let it listen on all addresses, or start it in onMaster",
    ]);
    expect(told(report({ listeners, nonlocalBind: { 4: true, 6: false } }))).toEqual([
      "ok: web: a service listens on 10.0.0.10 itself (port 80, 443); net.ipv4.ip_nonlocal_bind is 1, so that it starts without the VIP, too",
    ]);
  });

  test("of IPv6 have a setting of their own", () => {
    const listeners = [{ ip: "2001:db8::10", port: 53 }];
    expect(told(report({ listeners, nonlocalBind: { 4: true, 6: false } }))[0]).toMatch(
      /set net\.ipv6\.ip_nonlocal_bind to 1/u,
    );
  });

  test("may be started by hooks", () => {
    const listeners = [{ ip: "10.0.0.10", port: 80 }];
    const hooked = parse(`${FILE}hooks: { onMaster: [/bin/true] }\n`);
    expect(told(report({ listeners }), hooked)).toEqual([
      "ok: web: a service listens on 10.0.0.10 itself (port 80): it cannot start on a node that does not hold the VIP, and is left to the hooks",
    ]);
  });

  test("a check that asks a VIP looks at the holder's service", () => {
    const found = judgeServices(CONFIG, report({})).filter(({ about }) => about === "check");
    expect(found.map(({ text }) => text)).toEqual([
      "web: its check spare asks 10.0.0.10, an address of the VIP: where the VIP is not held it does not look at this node's service",
    ]);
  });
});

describe("the kernel's tables of sockets", () => {
  test("of TCP have who listens, in either family", () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0A00000A:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0A00000A:0050 6400000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1
`;
    expect(parseListeners(table, "tcp")).toEqual([{ ip: "10.0.0.10", port: 80 }]);
    const six =
      "   0: B80D0120000000000000000010000000:01BB 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 1 1\n";
    expect(parseListeners(six, "tcp")).toEqual([{ ip: "2001:db8::10", port: 443 }]);
  });

  test("of UDP have who is not connected; what is no line is passed over", () => {
    const table = "  12: 0100007F:0035 00000000:0000 07 00000000:00000000\n garbage\n";
    expect(parseListeners(table, "udp")).toEqual([{ ip: "127.0.0.1", port: 53 }]);
    expect(parseListeners(table, "tcp")).toEqual([]);
  });
});

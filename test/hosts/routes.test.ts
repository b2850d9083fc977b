// A VIP that is more than one address: addresses on two interfaces move as one, and routes and rules come and go with
// them, through handover, death, restart, reload, and the hands of others.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import type { DaemonProcess } from "./harness/fleet.ts";
import type { Station } from "./harness/lan.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

const INSIDE = "10.78.0.50";

/** Addresses on two interfaces, a table of their own for what comes from them, and a route in the table main. */
function group(priority: number, more = ""): string {
  return `  web:
    interface: eth0
    addresses:
      - 10.77.0.50/24
      - { address: ${INSIDE}/24, interface: eth1, scope: link, noPrefixRoute: true }
    routes:
      - { destination: default, via: 10.77.0.100, source: 10.77.0.50, table: 100 }
      - { destination: 10.9.0.0/16, via: 10.77.0.100, metric: 20 }
    rules:
      - { from: 10.77.0.50, table: 100, priority: 1000 }
    priority: ${priority}
${more}`;
}

/** A second interface, on a wire of its own. */
function addInside(host: Station): void {
  host.namespace.exec("ip", "link", "add", "eth1", "type", "veth", "peer", "name", "eth1peer");
  for (const link of ["eth1", "eth1peer"]) host.namespace.exec("ip", "link", "set", link, "up");
}

function ip(host: Station, ...args: readonly string[]): string {
  return host.namespace.exec("ip", ...args);
}

/** What the host has of the group, in short. */
function has(host: Station): readonly string[] {
  const found: readonly (readonly [what: string, text: string, pattern: RegExp])[] = [
    ["outside", ip(host, "-o", "address", "show", "dev", "eth0"), /10\.77\.0\.50\/24/u],
    ["inside", ip(host, "-o", "address", "show", "dev", "eth1"), /10\.78\.0\.50\/24 scope link.*noprefixroute/u],
    [
      "default",
      ip(host, "route", "show", "table", "all"),
      /default via 10\.77\.0\.100 dev eth0 table 100 proto 118 src 10\.77\.0\.50/u,
    ],
    ["route", ip(host, "route", "show"), /10\.9\.0\.0\/16 via 10\.77\.0\.100 dev eth0 proto 118 metric 20/u],
    ["rule", ip(host, "rule"), /1000:\s+from 10\.77\.0\.50 lookup 100 proto 118/u],
  ];
  return found.filter(([, text, pattern]) => pattern.test(text)).map(([what]) => what);
}

const ALL = ["outside", "inside", "default", "route", "rule"];

function eventually(read: () => unknown): ReturnType<typeof expect.poll<unknown>> {
  return expect.poll(read, { timeout: 5_000, interval: 20 });
}

/** Follows the kernel's news of routes and rules; the result ends that, and gives what was told. */
async function watchRouting(host: Station): Promise<() => Promise<string>> {
  const child = spawn("ip", ["-n", host.namespace.name, "monitor", "route", "rule"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let told = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (told += text));
  const mark = async (priority: string): Promise<void> => {
    // A rule of the test's own: once it is told, all before it is.
    ip(host, "rule", "add", "from", "192.0.2.1", "table", "7", "pref", priority);
    await expect.poll(() => told.includes(`${priority}:`), { timeout: 5_000, interval: 20 }).toBe(true);
  };
  await expect
    .poll(
      () => {
        ip(host, "rule", "add", "from", "192.0.2.2", "table", "7", "pref", "9");
        ip(host, "rule", "del", "pref", "9");
        return told.includes("9:");
      },
      { timeout: 5_000, interval: 20 },
    )
    .toBe(true);
  return async () => {
    await mark("8");
    child.kill();
    await once(child, "close");
    return told;
  };
}

/** Both hosts have the second interface, the first holds the group. */
async function begin(ttl = "1s"): Promise<{ a: Station; b: Station; holder: DaemonProcess; backup: DaemonProcess }> {
  const [a, b] = [bench().host("a"), bench().host("b")];
  for (const host of [a, b]) addInside(host);
  const holder = bench().fleet.start(a, { vips: group(200), ttl });
  await holder.holds();
  const backup = bench().fleet.start(b, { vips: group(100), ttl });
  await backup.backs();
  return { a, b, holder, backup };
}

test("a group on two interfaces moves as one, with its routes and rules: asked to, and when one interface goes", async () => {
  const { a, b, holder, backup } = await begin();
  expect(has(a)).toEqual(ALL);
  expect(has(b)).toEqual([]);
  expect(ip(a, "route", "show", "10.78.0.0/24"), "no route to the network of an address with noPrefixRoute").toBe("");
  const limits = { timeoutMs: 5_000, signal: AbortSignal.timeout(5_000) };
  await holder.admin.stepDown({ election: "web", to: "b" }, limits);
  await backup.holds();
  expect(has(b)).toEqual(ALL);
  expect(has(a)).toEqual([]);
  // The interface that goes carries one of two addresses only.
  ip(b, "link", "set", "eth1peer", "down");
  await holder.holds();
  expect(has(a)).toEqual(ALL);
  await eventually(() => has(b)).toEqual([]);
});

test("a restart within the lease moves no route; a daemon that was killed leaves none to its successor with another file", async () => {
  const { a, b, holder, backup } = await begin("3s");
  backup.signal("SIGTERM");
  await backup.ended;
  const shown = ip(a, "-d", "route", "show", "table", "all", "proto", "118");
  const endWatch = await watchRouting(a);
  await holder.kill();
  const next = bench().fleet.restart(a);
  await next.holds();
  await eventually(() => next.log()).toContain('"adopting":true');
  expect(ip(a, "-d", "route", "show", "table", "all", "proto", "118")).toBe(shown);
  expect(has(a)).toEqual(ALL);
  expect(await endWatch(), "what the kernel has told of vipd's routes and rules").not.toMatch(/ 118/u);
  await next.kill();
  expect(has(a), "what a killed daemon leaves, behind a closed fence").toEqual(ALL);
  const other = bench().fleet.start(a, {
    vips: "  mail:\n    interface: eth0\n    addresses: [10.77.0.60/24]\n",
    ttl: "3s",
  });
  await other.holds("mail");
  expect(has(a)).toEqual([]);
  await eventually(() => other.log()).toMatch(
    /rule priority 1000 from 10\.77\.0\.50\/32 table 100 was set here although no VIP needs it: removed/u,
  );
  expect(b.namespace.exec("ip", "rule")).not.toContain("118");
});

test("what others remove is put back, what they have in its place is left to them; a reload changes it in place", async () => {
  const [a] = [bench().host("a")];
  addInside(a);
  const { fleet } = bench();
  const holder = fleet.start(a, { vips: group(200) });
  const { elections } = await holder.holds();
  ip(a, "route", "del", "10.9.0.0/16");
  ip(a, "rule", "del", "pref", "1000");
  ip(a, "route", "flush", "table", "100");
  await eventually(() => has(a)).toEqual(ALL);
  await eventually(() => holder.log()).toMatch(
    /route 10\.9\.0\.0\/16 via 10\.77\.0\.100 dev eth0 metric 20 was gone: put back/u,
  );
  ip(a, "address", "del", "10.77.0.50/24", "dev", "eth0");
  await eventually(() => has(a)).toEqual(ALL);
  fleet.configure(a, {
    vips: group(200).replace("10.9.0.0/16", "10.10.0.0/16").replaceAll("table: 100", "table: 101"),
  });
  holder.signal("SIGHUP");
  await eventually(() => ip(a, "rule")).toMatch(/1000:\s+from 10\.77\.0\.50 lookup 101 proto 118/u);
  expect(ip(a, "route", "show")).toContain("10.10.0.0/16");
  expect(has(a)).toEqual(["outside", "inside"]);
  const after = await holder.until("holds it still", (seen) => seen.elections[0]?.role === "holder");
  expect(after.elections[0]?.token).toBe(elections[0]?.token);
});

test("a route that cannot be set makes a node stand back with the kernel's reason, and the other one serves", async () => {
  const [a, b] = [bench().host("a"), bench().host("b")];
  for (const host of [a, b]) addInside(host);
  ip(a, "route", "add", "10.9.0.0/16", "dev", "eth0", "metric", "20");
  const first = bench().fleet.start(a, { vips: group(200) });
  await first.until("stands back", ({ elections: [web] }) =>
    (web?.ineligibleReasons ?? []).some(({ reason }) => /10\.9\.0\.0\/16.*vipd did not set/u.test(reason)),
  );
  const second = bench().fleet.start(b, { vips: group(100) });
  await second.holds();
  expect(has(b)).toEqual(ALL);
  expect(ip(a, "route", "show", "10.9.0.0/16"), "what somebody else has set stays").toMatch(
    /^10\.9\.0\.0\/16 dev eth0/u,
  );
  expect(has(a)).toEqual([]);
});

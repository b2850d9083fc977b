// VIPs that cannot be held as they are written: one is the host's own address, one lives on an interface that is missing.
// The others are served, and the host keeps what is its own. An address that comes while vipd guards it is not its own.

import { expect, test } from "vitest";
import { knock } from "./harness/knock.ts";
import type { StatusView } from "../../src/admin/views.ts";
import { type DaemonProcess, oneVip, VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const OTHER = "10.78.0.5";

const bench = useFleet(["a", "b"], [VIP, OTHER]);

function block(name: string, address: string, link = "eth0"): string {
  return `  ${name}:\n    interface: ${link}\n    addresses: [${address}]\n    priority: 200\n`;
}

test("a VIP that is the host's own address is not held, fenced or removed; another host keeps reaching it", async () => {
  const { fleet, lan } = bench();
  const host = bench().host("a");
  const vips = oneVip(200) + block("typo", `${host.ip}/24`);
  const check = await fleet.vipd(host, ["--check", "-c", fleet.configure(host, { vips })]);
  expect(check.code).toBe(78);
  expect(check.stderr).toMatch(
    /vips\.typo\.addresses\[0\]: 10\.77\.0\.\d+ is this host's own address .*; use an address that no host has/u,
  );
  const a = fleet.start(host, { vips });
  const status = await a.holds();
  const typo = status.elections.find(({ name }) => name === "typo");
  expect(typo).toMatchObject({ role: "idle", ineligibleReasons: [{ source: "address", reasonCode: "own-address" }] });
  expect(bench().isBound(host, host.ip)).toBe(true);
  expect(knock(lan.client, host.ip)).toContain("refused");
  expect(a.log()).toMatch(/"level":"error".*cannot hold typo for now/u);
  // The host answers for it in any case: so nobody else does, while it says so.
  const b = fleet.start(bench().host("b"), { vips: block("typo", `${host.ip}/24`) });
  const free = await b.until("waits", ({ elections }) => elections.some(({ candidates }) => candidates.length === 2));
  await b.until("has waited for two leases", ({ nodes }) => {
    const counted = (name: string): bigint => BigInt(nodes.find(({ node }) => node === name)?.sessionVersion ?? 0);
    return counted("b") > BigInt(free.nodes.find(({ node }) => node === "b")?.sessionVersion ?? 0) + 12n;
  });
  expect(bench().isBound(bench().host("b"), host.ip)).toBe(false);
  // Stopping removes no more than starting did.
  a.signal("SIGTERM");
  await a.ended;
  expect(bench().isBound(host, host.ip)).toBe(true);
  expect(knock(lan.client, host.ip)).toContain("refused");
});

test("a VIP that is bound by hand on a standby stays fenced there, over restarts and stops, until it is removed by hand", async () => {
  const { fleet, recorder, lan, now, idle } = bench();
  const [host, holder] = [bench().host("a"), bench().host("b")];
  // A network of its own: the address looks like the host's own whatever its prefix.
  lan.client.namespace.exec("ip", "route", "add", "10.78.0.0/24", "dev", "eth0");
  const b = fleet.start(holder, { vips: oneVip(200) + block("other", `${OTHER}/32`) });
  await b.holds("other");
  const a = fleet.start(host, { vips: oneVip(100) + block("other", `${OTHER}/32`) });
  await a.backs("other");
  const from = now();
  host.namespace.exec("ip", "address", "add", `${OTHER}/32`, "dev", "eth0");
  const standsBack = (daemon: DaemonProcess): Promise<StatusView> =>
    daemon.until("stands back", ({ elections }) =>
      elections.some(
        ({ name, ineligibleReasons }) => name === "other" && ineligibleReasons[0]?.reasonCode === "foreign-address",
      ),
    );
  await standsBack(a);
  expect(a.log()).toMatch(
    /"level":"error".*stays fenced; to end that, run: ip address delete 10\.78\.0\.5\/32 dev eth0/u,
  );
  a.signal("SIGTERM");
  await expect(a.ended).resolves.toEqual({ code: 0, signal: null });
  await idle(500);
  const again = fleet.restart(host);
  await standsBack(again);
  await idle(500);
  expect(bench().isBound(host, OTHER)).toBe(true);
  await recorder.answered(OTHER, (name) => name === "b", now());
  expect(recorder.hands(OTHER, from)).toEqual(["b"]);
  host.namespace.exec("ip", "address", "delete", `${OTHER}/32`, "dev", "eth0");
  await again.backs("other");
});

test("an address that keepalived left beside the host's own is explained before, and taken over", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  host.namespace.exec("ip", "address", "add", `${VIP}/32`, "dev", "eth0");
  const check = await fleet.vipd(host, ["--check", "-c", fleet.configure(host, { vips: oneVip(200) })]);
  expect(check.code).toBe(0);
  expect(check.stderr).toMatch(/^warning: 10\.77\.0\.50\/32 is on eth0 already: .*keepalived.*; stop keepalived/u);
  const a = fleet.start(host, { vips: oneVip(200) });
  await a.holds();
  expect(a.log()).toContain("10.77.0.50 was bound here although this node does not hold it: removed");
  const addresses = host.namespace.exec("ip", "-4", "-o", "address", "show", "dev", "eth0");
  expect(addresses.match(/10\.77\.0\.50\/\d+/gu)).toEqual(["10.77.0.50/24"]);
});

test("a VIP whose interface is missing at the start stands back; the others are served, and it is once it comes", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const a = fleet.start(host, { vips: oneVip(200) + block("lost", "10.79.0.5/24", "eth9") });
  const status = await a.holds();
  expect(status.elections.find(({ name }) => name === "lost")).toMatchObject({
    role: "idle",
    ineligibleReasons: [{ source: "link", reasonCode: "link-down", reason: "eth9 is missing" }],
  });
  expect(a.log()).toContain("cannot hold lost for now: eth9 is missing");
  host.namespace.exec("ip", "link", "add", "eth9", "type", "veth", "peer", "name", "peer9");
  host.namespace.exec("ip", "link", "set", "peer9", "up");
  host.namespace.exec("ip", "link", "set", "eth9", "up");
  await a.holds("lost");
  expect(host.namespace.exec("ip", "-4", "-o", "address", "show", "dev", "eth9")).toContain(" 10.79.0.5/24 ");
});

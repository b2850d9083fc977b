// News of addresses and links.

import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { KernelAddresses } from "../../adapters/linux/addresses.ts";
import { monitorHost } from "../../adapters/linux/monitor.ts";
import type { HostEvent } from "../../src/ports/host.ts";
import { VIP4, VIPS } from "./fence-helpers.ts";
import { batch, eventually, useWire } from "./namespaces.ts";

const wire = useWire();

/** What the monitor tells from now on, a line each. */
function follow(): string[] {
  const lines: string[] = [];
  const monitor = wire().host.inside(() => monitorHost((event) => lines.push(told(event))));
  wire().onClose(() => monitor.close());
  return lines;
}

function told(event: HostEvent): string {
  if (event.kind === "link-changed") {
    const { name, up, port } = event.link;
    return `${name} ${up ? "up" : "down"}${port === "" ? "" : `, port of a ${port}`}`;
  }
  if (event.kind === "link-removed") return `${event.name} removed`;
  if (event.kind === "overrun") return "overrun";
  const { ip, prefix, interface: name, ours } = event.address;
  return `${event.kind === "address-added" ? "+" : "-"} ${ip}/${prefix} ${name}${ours ? " ours" : ""}`;
}

function openAddresses(): KernelAddresses {
  const addresses = wire().host.inside(() => new KernelAddresses());
  wire().onClose(() => addresses.close());
  return addresses;
}

/** Waits for a line, and then for silence to be real: a marker that comes behind it. */
async function until(lines: readonly string[], wanted: string): Promise<void> {
  await eventually(wanted, () => lines.includes(wanted));
}

describe("the monitor tells of", () => {
  it("addresses added and removed, by us and by others, and refreshed by others", async () => {
    const lines = follow();
    const addresses = openAddresses();
    addresses.bind(VIPS, 60_000);
    await until(lines, "+ 10.77.0.100/32 eth0 ours");
    wire().host.exec(
      "ip",
      "address",
      "add",
      "10.77.0.50/32",
      "dev",
      "eth0",
      "valid_lft",
      "600",
      "preferred_lft",
      "600",
    );
    await pause(20);
    addresses.bind(VIPS, 60_000);
    wire().host.exec(
      "ip",
      "address",
      "change",
      "10.77.0.50/32",
      "dev",
      "eth0",
      "valid_lft",
      "700",
      "preferred_lft",
      "700",
    );
    addresses.unbind(VIPS);
    wire().host.exec("ip", "address", "delete", "10.77.0.50/32", "dev", "eth0");
    await until(lines, "- 10.77.0.50/32 eth0");
    // IPv6 addresses are told of by a worker of the kernel, at its leisure.
    const v6 = ["+ 2001:db8:77::100/128 eth0 ours", "- 2001:db8:77::100/128 eth0 ours"];
    await eventually("both of IPv6", () => v6.every((line) => lines.includes(line)));
    expect(lines.filter((line) => line.includes("::"))).toEqual(v6);
    expect(lines.filter((line) => !line.includes("::"))).toEqual([
      "+ 10.77.0.100/32 eth0 ours",
      "+ 10.77.0.50/32 eth0",
      "+ 10.77.0.50/32 eth0",
      "- 10.77.0.100/32 eth0 ours",
      "- 10.77.0.50/32 eth0",
    ]);
  });

  it("a VIP that somebody deletes by hand", async () => {
    openAddresses().bind([VIP4], 60_000);
    const lines = follow();
    wire().host.exec("ip", "address", "delete", `${VIP4.ip}/32`, "dev", "eth0");
    await until(lines, "- 10.77.0.100/32 eth0 ours");
  });

  it("a cable that is pulled and put back at the other end", async () => {
    const lines = follow();
    wire().peer.exec("ip", "link", "set", "eth0", "down");
    await until(lines, "eth0 down");
    wire().peer.exec("ip", "link", "set", "eth0", "up");
    await until(lines, "eth0 up");
    expect(lines.filter((line) => line.startsWith("eth0"))).toEqual(["eth0 down", "eth0 up"]);
  });

  it("an interface set down, with the IPv6 addresses that the kernel drops then", async () => {
    openAddresses().bind([{ family: 6, ip: "2001:db8:77::100", prefix: 64, interface: "eth0" }], 60_000);
    const lines = follow();
    wire().host.exec("ip", "link", "set", "eth0", "down");
    await until(lines, "eth0 down");
    await until(lines, "- 2001:db8:77::100/64 eth0 ours");
    expect(lines).not.toContain("- 10.77.0.1/24 eth0");
  });

  it("interfaces that come, are renamed and go", async () => {
    const lines = follow();
    wire().host.exec("ip", "link", "add", "new0", "type", "bridge");
    wire().host.exec("ip", "link", "set", "new0", "name", "new1");
    wire().host.exec("ip", "link", "delete", "new1");
    await until(lines, "new1 removed");
    expect(lines.filter((line) => line.startsWith("new"))).toEqual([
      "new0 down",
      "new0 removed",
      "new1 down",
      "new1 removed",
    ]);
  });

  it("a hardware address that changed, and nothing of what a link does not show", async () => {
    const lines = follow();
    wire().host.exec("ip", "link", "set", "eth0", "mtu", "1400");
    wire().host.exec("ip", "link", "set", "eth0", "txqueuelen", "77");
    wire().host.exec("ip", "link", "set", "eth0", "address", "02:00:00:00:00:42");
    wire().host.exec("ip", "link", "add", "last0", "type", "bridge");
    await until(lines, "last0 down");
    expect(lines.filter((line) => line.startsWith("eth0"))).toEqual(["eth0 up"]);
  });

  it("a port that joins a bridge and leaves it again, which is no removal", async () => {
    wire().host.exec("ip", "link", "add", "br0", "type", "bridge");
    const lines = follow();
    wire().host.exec("ip", "link", "set", "eth0", "master", "br0");
    await until(lines, "eth0 up, port of a bridge");
    wire().host.exec("ip", "link", "set", "eth0", "nomaster");
    await until(lines, "eth0 up");
    expect(lines).not.toContain("eth0 removed");
  });

  it("an overrun, and what became of the links meanwhile; and it goes on", async () => {
    wire().host.exec("ip", "link", "add", "old0", "type", "bridge");
    const lines = follow();
    const addresses = openAddresses();
    // The event loop stands still here, so nobody reads: more news than the socket's buffer of 8 MB can keep.
    const changes = Array.from({ length: 6_000 }, (_, i) => `link set eth0 mtu ${1400 + (i % 2)}`);
    batch(["-n", wire().host.name], ...changes);
    wire().host.exec("ip", "link", "delete", "old0");
    wire().host.exec("ip", "link", "add", "new0", "type", "bridge");
    await until(lines, "overrun");
    expect(lines.slice(0, lines.indexOf("overrun"))).toEqual(expect.arrayContaining(["old0 removed", "new0 down"]));
    addresses.bind([{ ...VIP4, ip: "10.77.0.101" }], 60_000);
    await until(lines, "+ 10.77.0.101/32 eth0 ours");
  });
});

it("a monitor that is closed tells nothing more", async () => {
  const lines: string[] = [];
  const monitor = wire().host.inside(() => monitorHost((event) => lines.push(told(event))));
  const other = follow();
  openAddresses().bind([VIP4], 60_000);
  monitor.close();
  monitor.close();
  await until(other, "+ 10.77.0.100/32 eth0 ours");
  expect(lines).toEqual([]);
});

it("links are listed with what they are", () => {
  const links = openAddresses().links();
  expect(links.find(({ name }) => name === "lo")).toMatchObject({
    index: 1,
    up: true,
    ethernet: false,
    loopback: true,
  });
  const eth0 = links.find(({ name }) => name === "eth0");
  expect(eth0).toMatchObject({ up: true, ethernet: true, loopback: false });
  expect(wire().host.exec("ip", "link", "show", "eth0")).toContain(`link/ether ${eth0?.mac} `);
});

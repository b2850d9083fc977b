// Addresses on a real kernel: what we ask for is what ip and the kernel show.

import { describe, expect, it } from "vitest";
import { ADDRESS_MARK, KernelAddresses } from "../../adapters/linux/addresses.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import type { HostEvent } from "../../src/ports/host.ts";
import type { AddressRecord } from "../../src/wire/rtnetlink.ts";
import { monitorHost } from "../../adapters/linux/monitor.ts";
import type { Wire } from "./namespaces.ts";
import { eventually, useWire } from "./namespaces.ts";

const VIP: VipAddress = { family: 4, ip: "10.77.0.100", prefix: 24, interface: "eth0" };
const VIP32: VipAddress = { ...VIP, prefix: 32 };
const VIP6: VipAddress = { family: 6, ip: "2001:db8:77::100", prefix: 64, interface: "eth0" };

const wire = useWire();

function open(on: Wire): KernelAddresses {
  const addresses = on.host.inside(() => new KernelAddresses());
  on.onClose(() => addresses.close());
  return addresses;
}

function find(addresses: KernelAddresses, ip: string): AddressRecord | undefined {
  return addresses.records().find((record) => record.ip === ip);
}

/** What ip shows of an address: its line, without the lifetimes. */
function shown(ip: string): string {
  const text = wire().host.exec("ip", "-o", "address", "show", "dev", "eth0");
  return text.split("\n").find((line) => line.includes(` ${ip}/`)) ?? "";
}

describe("binding", () => {
  it("puts an IPv4 address there with prefix, label, mark and lifetime", () => {
    const addresses = open(wire());
    addresses.bind([{ ...VIP, label: "eth0:web" }], 29_500);
    expect(find(addresses, VIP.ip)).toMatchObject({ prefix: 24, label: "eth0:web", mark: ADDRESS_MARK, validS: 30 });
    expect(shown(VIP.ip)).toMatch(
      /inet 10\.77\.0\.100\/24 scope global secondary dynamic eth0:web\\ +valid_lft (?:30|29)sec preferred_lft (?:30|29)sec/u,
    );
  });

  it("says what is wrong with another scope than that of the network's other addresses", () => {
    const addresses = open(wire());
    const [failure] = addresses.bind([{ ...VIP, scope: "link" }], 30_000);
    expect(failure?.message).toMatch(
      /EINVAL.*: all addresses of a network on eth0 must have one scope; .* a prefix of 32/u,
    );
    expect(addresses.bind([{ ...VIP32, scope: "link" }], 30_000)).toEqual([]);
    expect(shown(VIP.ip)).toContain("/32 scope link");
  });

  it("puts an IPv6 address there that answers at once: no duplicate address detection", () => {
    wire().host.exec("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1", "net.ipv6.conf.eth0.dad_transmits=3");
    const addresses = open(wire());
    addresses.bind([VIP6], 30_000);
    expect(find(addresses, VIP6.ip)).toMatchObject({ prefix: 64, mark: ADDRESS_MARK, validS: 30 });
    expect(shown(VIP6.ip)).toMatch(/inet6 2001:db8:77::100\/64 scope global nodad dynamic/u);
    expect(shown(VIP6.ip)).not.toMatch(/tentative/u);
  });

  it("shows by the mark which addresses are ours, and on which interface", () => {
    const addresses = open(wire());
    addresses.bind([VIP], 30_000);
    const list = addresses.addresses().filter(({ family, interface: name }) => family === 4 && name === "eth0");
    expect(list).toEqual([
      {
        family: 4,
        ip: "10.77.0.1",
        prefix: 24,
        interface: "eth0",
        ours: false,
        keepalived: false,
        permanent: true,
        secondary: false,
      },
      {
        family: 4,
        ip: VIP.ip,
        prefix: 24,
        interface: "eth0",
        ours: true,
        keepalived: false,
        permanent: false,
        secondary: true,
      },
    ]);
  });

  it.each([VIP, VIP6])("again refreshes the lifetime and nothing else: $ip", async (vip) => {
    const addresses = open(wire());
    const events: HostEvent[] = [];
    const monitor = wire().host.inside(() => monitorHost((event) => events.push(event)));
    wire().onClose(() => monitor.close());
    addresses.bind([vip], 2_000);
    addresses.bind([vip], 60_000);
    expect(find(addresses, vip.ip)).toMatchObject({ mark: ADDRESS_MARK, validS: 60 });
    const told = (): HostEvent[] => events.filter((event) => event.kind.startsWith("address-"));
    await eventually("news of both", () => told().length >= 2);
    expect(told().map(({ kind }) => kind)).toEqual(["address-added", "address-added"]);
  });

  it.each([
    [1, 1],
    [1_001, 2],
    [Number.MAX_SAFE_INTEGER, 0xfffffffe],
  ])("rounds %i ms up to whole seconds, at least one and never for ever", (lifetimeMs, seconds) => {
    const addresses = open(wire());
    addresses.bind([VIP], lifetimeMs);
    const { validS = Number.NaN } = find(addresses, VIP.ip) ?? {};
    // The kernel counts in its own ticks of up to 4 ms; very long lifetimes lose a second or two in them.
    expect(Math.abs(validS - seconds)).toBeLessThanOrEqual(seconds > 1000 ? 5 : 0);
  });

  it("takes over an address that somebody has put there by hand", () => {
    for (const vip of [VIP32, VIP6]) {
      wire().host.exec("ip", "address", "add", `${vip.ip}/${vip.prefix}`, "dev", "eth0");
      const addresses = open(wire());
      addresses.bind([vip], 30_000);
      expect(find(addresses, vip.ip)).toMatchObject({ mark: ADDRESS_MARK, validS: 30 });
    }
  });

  it("on an interface that is not there says which, and binds the others", () => {
    const addresses = open(wire());
    const missing = { ...VIP6, interface: "eth9" };
    expect(addresses.bind([missing, VIP], 30_000)).toEqual([
      { address: missing, message: "there is no interface eth9" },
    ]);
    expect(find(addresses, VIP.ip)).toBeDefined();
  });

  it("that the kernel refuses names the call and the errno, and binds the others", () => {
    const addresses = open(wire());
    const bad = { ...VIP, ip: "10.77.0.101", label: "a-label-that-is-far-too-long" };
    const failures = addresses.bind([VIP32, bad, VIP6], 30_000);
    expect(failures).toEqual([
      { address: bad, message: expect.stringMatching(/rtnetlink add address failed: .+ \(E[A-Z]+\)/u) },
    ]);
    expect([VIP32, bad, VIP6].map(({ ip }) => find(addresses, ip) !== undefined)).toEqual([true, false, true]);
  });

  it("of IPv6 on an interface without it names the setting", () => {
    wire().host.exec("sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1");
    expect(open(wire()).bind([VIP6, VIP32], 30_000)).toEqual([
      { address: VIP6, message: expect.stringContaining("net.ipv6.conf.eth0.disable_ipv6") },
    ]);
  });

  it("of thousands of addresses at once binds and takes away every one", () => {
    const addresses = open(wire());
    const many = Array.from({ length: 2_000 }, (_, i): VipAddress => ({
      ...VIP32,
      ip: `10.99.${i >> 8}.${i & 0xff}`,
    }));
    const ours = (): number => addresses.addresses().filter((address) => address.ours).length;
    expect(addresses.bind(many, 60_000)).toEqual([]);
    expect(ours()).toBe(many.length);
    expect(addresses.unbind(many).removed).toHaveLength(many.length);
    expect(ours()).toBe(0);
  });
});

describe("the kernel's own lifetime", () => {
  it("takes the addresses away without us, and tells of it", async () => {
    const addresses = open(wire());
    const gone = new Set<string>();
    const listen = (event: HostEvent): void => {
      if (event.kind === "address-removed") gone.add(event.address.ip);
    };
    const monitor = wire().host.inside(() => monitorHost(listen));
    wire().onClose(() => monitor.close());
    addresses.bind([VIP32], 1_000);
    addresses.bind([VIP6], 1_000);
    const start = performance.now();
    await eventually("both addresses gone", () => gone.has(VIP.ip) && gone.has(VIP6.ip), 4_000);
    expect(performance.now() - start).toBeGreaterThan(900);
    expect(find(addresses, VIP.ip) ?? find(addresses, VIP6.ip)).toBeUndefined();
    // The trap: a refresh after that is an addition, so nobody may take the lifetime for a fence.
    addresses.bind([VIP32], 1_000);
    expect(find(addresses, VIP.ip)).toBeDefined();
  });

  it("is kept for IPv4 and lost for IPv6 when the link is set down", () => {
    const addresses = open(wire());
    addresses.bind([VIP32], 30_000);
    addresses.bind([VIP6], 30_000);
    wire().host.exec("ip", "link", "set", "eth0", "down");
    expect(find(addresses, VIP.ip)).toBeDefined();
    expect(find(addresses, VIP6.ip)).toBeUndefined();
  });
});

describe("unbinding", () => {
  it.each([VIP, VIP32, VIP6])("takes $ip/$prefix away, and says when it was not there", (vip) => {
    const addresses = open(wire());
    addresses.bind([vip], 30_000);
    expect(addresses.unbind([vip])).toEqual({ removed: [vip], failures: [] });
    expect(find(addresses, vip.ip)).toBeUndefined();
    expect(addresses.unbind([vip])).toEqual({ removed: [], failures: [] });
  });

  it("on an interface that is not there finds nothing to do", () => {
    expect(open(wire()).unbind([{ ...VIP, interface: "eth9" }])).toEqual({ removed: [], failures: [] });
  });
});

describe("addresses of one subnet", () => {
  it("the VIP outlives the host's own address, which was there first", () => {
    const addresses = open(wire());
    expect(wire().host.exec("sysctl", "-n", "net.ipv4.conf.eth0.promote_secondaries").trim()).toBe("0");
    addresses.bind([VIP], 30_000);
    wire().host.exec("ip", "address", "delete", "10.77.0.1/24", "dev", "eth0");
    expect(find(addresses, VIP.ip)).toMatchObject({ mark: ADDRESS_MARK });
    expect(wire().host.exec("ip", "route", "get", "10.77.0.2")).toMatch(/src 10\.77\.0\.100/u);
  });

  it("the host's own address outlives the VIP that was there first, unbound or expired", async () => {
    const addresses = open(wire());
    wire().host.exec("ip", "address", "flush", "dev", "eth0");
    addresses.bind([VIP], 30_000);
    wire().host.exec("ip", "address", "add", "10.77.0.1/24", "dev", "eth0");
    addresses.unbind([VIP]);
    expect(find(addresses, "10.77.0.1")).toBeDefined();

    wire().host.exec("ip", "address", "flush", "dev", "eth0");
    addresses.bind([VIP], 1_000);
    wire().host.exec("ip", "address", "add", "10.77.0.1/24", "dev", "eth0");
    await eventually("the VIP gone", () => find(addresses, VIP.ip) === undefined, 4_000);
    expect(find(addresses, "10.77.0.1")).toBeDefined();
  });

  it("a VIP that fell because someone turned that off is told as removed, and goes back", async () => {
    const addresses = open(wire());
    addresses.bind([VIP], 30_000);
    wire().host.exec("sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=0");
    const removed: string[] = [];
    const monitor = wire().host.inside(() =>
      monitorHost((event) => {
        if (event.kind === "address-removed") removed.push(event.address.ip);
      }),
    );
    wire().onClose(() => monitor.close());
    wire().host.exec("ip", "address", "delete", "10.77.0.1/24", "dev", "eth0");
    await eventually("news of both", () => removed.length >= 2);
    expect(removed.toSorted()).toEqual(["10.77.0.1", VIP.ip]);
    addresses.bind([VIP], 30_000);
    expect(find(addresses, VIP.ip)).toMatchObject({ mark: ADDRESS_MARK });
  });

  it("with a /32 VIP no setting of the interface is touched", () => {
    open(wire()).bind([VIP32], 30_000);
    expect(wire().host.exec("sysctl", "-n", "net.ipv4.conf.eth0.promote_secondaries").trim()).toBe("0");
  });
});

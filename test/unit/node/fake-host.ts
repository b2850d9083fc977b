// A host for tests: addresses, a fence with deadlines, the wire, links and news, all in memory and on virtual time. It
// notes what it is told, in order, and refuses what a test wants refused.

import type { Instant } from "../../../src/base/time.ts";
import type { ArpSettings } from "../../../src/base/virtual-mac.ts";
import type { VipAddress } from "../../../src/base/vip.ts";
import type {
  AddressFailure,
  AddressPlace,
  AddressTable,
  Answer,
  BoundAddress,
  Fence,
  HostEvent,
  HostMonitor,
  Link,
  FenceDeadline,
  OpenResult,
  PacketLink,
  ProtectResult,
} from "../../../src/ports/host.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";

/** Calls that can be refused as a whole: they throw. */
export type Call = "bind" | "unbind" | "protect" | "open" | "extend" | "close" | "remove" | "announce" | "probe";

export function address(ip: string, link = "eth0", prefix = 24): VipAddress {
  return { family: 4, ip, prefix, interface: link };
}

export function link(name: string, change: Partial<Link> = {}): Link {
  const mac = "02:00:00:00:00:01";
  return { index: 2, name, up: true, ethernet: true, loopback: false, mac, port: "", ...change };
}

export class FakeHost implements AddressTable {
  readonly timers = new VirtualTimers();
  /** What it was told, such as `bind 10.0.0.1,10.0.0.2`. */
  readonly calls: string[] = [];
  readonly refused = new Set<Call>();
  /** Addresses that it will not bind, or not remove, each for itself. */
  readonly unbindable = new Set<string>();
  readonly stuck = new Set<string>();
  /** Addresses that it says to be gone, and has still. */
  readonly deaf = new Set<string>();
  /** What its kernel does with ARP. */
  arp: ArpSettings = { filter: 0, ignore: 0 };
  /** So many openings are too late. */
  tooLate = 0;
  intact = true;
  /** Whether announcements leave this host. */
  sends = true;
  /** Hardware addresses of others that answer for an address. */
  readonly answerers = new Map<string, readonly string[]>();
  readonly linkTable = new Map<string, Link>(["eth0", "eth1"].map((name) => [name, link(name)]));
  guarded: readonly string[] = [];
  readonly lifetimesMs = new Map<string, number>();
  private readonly bound = new Map<string, BoundAddress>();
  private readonly openUnder = new Map<string, number>();
  private readonly deadlines = new Map<number, Instant>();
  private listener: ((event: HostEvent) => void) | undefined;
  private flushed = false;

  /** How often the fence was told to take nothing for granted. */
  doubts = 0;

  /** Somebody takes the fence away, and with it what was open. */
  flushFence(): void {
    this.openUnder.clear();
    this.intact = false;
    this.flushed = true;
  }

  readonly fence: Fence = {
    info: { kind: "netdev", flushProof: true, caveats: [] },
    protect: (addresses) => this.protect(addresses),
    open: (addresses, deadline, until) => this.open(addresses, deadline, until),
    extend: (deadlines) => this.extend(deadlines),
    close: (addresses) => {
      this.note("close", addresses);
      for (const { ip } of addresses) this.openUnder.delete(ip);
    },
    openAddresses: () => [...this.openUnder.keys()].filter((ip) => this.isOpen(ip)),
    guardedAddresses: () => this.guarded,
    intact: () => this.intact,
    doubt: () => void (this.doubts += 1),
    remove: () => {
      this.note("remove");
      this.guarded = [];
    },
    release: () => void this.calls.push("release the fence"),
  };

  arpOfAll(): ArpSettings {
    return this.arp;
  }

  readonly packets: PacketLink = {
    announce: ({ ip }) => {
      this.note("announce", [{ ip }]);
      return this.sends;
    },
    probe: ({ ip }) => {
      if (this.refused.has("probe")) return Promise.reject(new Error("the host refuses to probe"));
      return Promise.resolve((this.answerers.get(ip) ?? []).map((mac): Answer => ({ mac, at: this.timers.now() })));
    },
    close: () => void this.calls.push("close the packet sockets"),
  };

  bind(addresses: readonly VipAddress[], lifetimeMs: number): readonly AddressFailure[] {
    this.note("bind", addresses);
    const failures: AddressFailure[] = [];
    for (const each of addresses) {
      const problem = this.problemOf(each);
      if (problem !== undefined) failures.push({ address: each, message: problem });
      else {
        this.put(each);
        this.lifetimesMs.set(each.ip, lifetimeMs);
      }
    }
    return failures;
  }

  unbind(addresses: readonly AddressPlace[]): ReturnType<AddressTable["unbind"]> {
    this.note("unbind", addresses);
    const failures = addresses
      .filter(({ ip }) => this.stuck.has(ip))
      .map((each) => ({ address: each, message: `the host refuses to remove ${each.ip}` }));
    const goes = ({ ip }: AddressPlace): boolean => !this.stuck.has(ip) && !this.deaf.has(ip);
    const removed = addresses.filter((each) => goes(each) && this.bound.delete(keyOf(each)));
    return { removed, failures };
  }

  addresses(): readonly BoundAddress[] {
    return [...this.bound.values()];
  }

  links(): readonly Link[] {
    return [...this.linkTable.values()];
  }

  /** Follows the host's news. */
  readonly monitor = (onEvent: (event: HostEvent) => void): HostMonitor => {
    this.listener = onEvent;
    return {
      close: () => {
        this.calls.push("close the monitor");
        this.listener = undefined;
      },
    };
  };

  /** Puts an address there: as vipd did, or as somebody else. */
  put(
    { family, ip, prefix, interface: name }: AddressPlace,
    ours = true,
    change: Partial<BoundAddress> = {},
  ): BoundAddress {
    const place = { family, ip, prefix, interface: name };
    const there = { ...place, ours, keepalived: false, permanent: !ours, secondary: true, ...change };
    this.bound.set(keyOf(there), there);
    return there;
  }

  tell(event: HostEvent): void {
    this.listener?.(event);
  }

  /** A link comes, goes with its addresses, or changes, and the host's listener hears of it. */
  setLink(name: string, change: Partial<Link> | null): void {
    if (change === null) {
      const lost = this.addresses().filter((each) => each.interface === name);
      this.linkTable.delete(name);
      for (const each of lost) this.bound.delete(keyOf(each));
      for (const each of lost) this.tell({ kind: "address-removed", address: each });
      return this.tell({ kind: "link-removed", name });
    }
    const changed = { ...(this.linkTable.get(name) ?? link(name)), ...change };
    this.linkTable.set(name, changed);
    this.tell({ kind: "link-changed", link: changed });
  }

  /** A link gets another name, and keeps its addresses; the kernel tells no news of those. */
  renameLink(from: string, to: string): void {
    const before = this.linkTable.get(from) ?? link(from);
    this.linkTable.delete(from);
    this.linkTable.set(to, { ...before, name: to });
    for (const each of this.addresses().filter((other) => other.interface === from)) {
      this.bound.delete(keyOf(each));
      this.bound.set(keyOf({ ...each, interface: to }), { ...each, interface: to });
    }
    this.tell({ kind: "link-removed", name: from });
    this.tell({ kind: "link-changed", link: { ...before, name: to } });
  }

  /** The addresses that this host answers for now, in CIDR form: bound, guarded, and open under a deadline. */
  answering(): readonly string[] {
    const answering = this.addresses().filter(({ ip }) => this.guarded.includes(ip) && this.isOpen(ip));
    return answering.map(({ ip, prefix }) => `${ip}/${prefix}`).toSorted();
  }

  /** The calls since this was asked last. */
  news(): readonly string[] {
    return this.calls.splice(0);
  }

  private problemOf({ ip, interface: name }: VipAddress): string | undefined {
    if (!this.linkTable.has(name)) return `there is no interface ${name}`;
    return this.unbindable.has(ip) ? `the host refuses to bind ${ip}` : undefined;
  }

  private isOpen(ip: string): boolean {
    const deadline = this.openUnder.get(ip);
    return deadline !== undefined && (this.deadlines.get(deadline) ?? 0) > this.timers.now();
  }

  private protect(addresses: readonly AddressPlace[]): ProtectResult {
    this.note("protect", addresses);
    this.guarded = addresses.map(({ ip }) => ip);
    for (const ip of [...this.openUnder.keys()]) if (!this.guarded.includes(ip)) this.openUnder.delete(ip);
    this.intact = true;
    const { flushed } = this;
    this.flushed = false;
    return flushed ? "closed" : "kept";
  }

  private open(addresses: readonly AddressPlace[], deadline: number, until: Instant): OpenResult {
    const list = addresses.map(({ ip }) => ip).join();
    const forMs = Math.round((until - this.timers.now()) * 1_000) / 1_000;
    this.note("open", [{ ip: `${list}${list === "" ? "" : " "}under ${deadline} for ${forMs}` }]);
    if (this.tooLate > 0) {
      this.tooLate -= 1;
      return { kind: "too-late" };
    }
    for (const { ip } of addresses) this.openUnder.set(ip, deadline);
    this.deadlines.set(deadline, until);
    return { kind: "open" };
  }

  private extend(deadlines: readonly FenceDeadline[]): OpenResult {
    const list = deadlines.map(({ deadline }) => deadline).join();
    this.note("extend", [{ ip: list }]);
    if (this.tooLate > 0) {
      this.tooLate -= 1;
      return { kind: "too-late" };
    }
    for (const { deadline, until } of deadlines) this.deadlines.set(deadline, until);
    return { kind: "open" };
  }

  private note(call: Call, addresses: readonly Pick<VipAddress, "ip">[] = []): void {
    this.calls.push([call, addresses.map(({ ip }) => ip).join()].filter((part) => part !== "").join(" "));
    if (this.refused.has(call)) throw new Error(`the host refuses to ${call}`);
  }
}

function keyOf({ ip, prefix, interface: name }: AddressPlace): string {
  return `${ip}/${prefix} ${name}`;
}

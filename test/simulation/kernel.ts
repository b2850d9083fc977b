// A host's kernel: addresses with lifetimes, and the fence, both on the host's clock and both indifferent to what becomes
// of our process. A host answers for an address while it is bound, and open or not guarded. With a virtual MAC something may
// leave while that is open; where it is not guarded, while an address is bound that has it.

import { VipdError } from "../../src/base/errors.ts";
import type { Instant } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import { grantFor, isVirtualRouterMac, wireInterface } from "../../src/base/virtual-mac.ts";
import type {
  AddressFailure,
  AddressPlace,
  AddressTable,
  BoundAddress,
  Fence,
  FenceDeadline,
  HostEvent,
  Link,
  OpenResult,
  PacketLink,
  ProtectResult,
} from "../../src/ports/host.ts";
import type { RoutingRemoved } from "../../src/ports/routing.ts";
import type { HostClock } from "./host-clock.ts";
import { SimRouting } from "./routing.ts";
import type { Process, TrueTime, World } from "./world.ts";

/** The armed element's timeout, as src/ports/host.ts has it, in milliseconds. */
const ARM_MS = 100;

/** The interfaces of a host. */
export const INTERFACES: readonly string[] = ["eth0", "eth1"];

/** What the kernel refuses for the time being. */
export type Refusal = "bind" | "unbind" | "close" | "open" | "protect";

/** A host's kernel during one boot. */
export class Kernel {
  readonly host: string;
  readonly world: World;
  readonly clock: HostClock;
  readonly refused = new Set<Refusal>();
  /** Somebody has taken the fence away, and the daemon has not put it up again. */
  flushed = false;
  /** What the kernel has open still, because the machine has slept while no daemon could run, or close it. */
  readonly unattended = new Set<string>();
  /** What is open since before the machine slept, and has not been closed or opened again. */
  readonly openSinceSleep = new Set<string>();
  private readonly linksUp = new Map(INTERFACES.map((name) => [name, true]));
  /** The machine sleeps, or its network has not come back yet: it answers nobody. */
  private dark = false;
  /** How long the machine has slept in all: the kernel's own timeouts do not count that. */
  sleptMs = 0;
  /** Called after each change of what the host answers for: the checker's. */
  onChange: () => void = () => {};
  /** Called after the fence was opened or extended. */
  onOpen: (ips: readonly string[], until: TrueTime) => void = () => {};
  /** The daemon that listens, if any; it hears at once and deals with it later. */
  listener: ((event: HostEvent | RoutingRemoved) => void) | null = null;
  /** Routes and rules of vipd's. */
  readonly routing = new SimRouting((news) => this.tell(news));
  private readonly bound = new Map<string, { readonly address: BoundAddress; readonly until: TrueTime }>();
  /** By address: the deadline under which it is open. */
  private readonly openUnder = new Map<string, number>();
  private readonly deadlines = new Map<number, TrueTime>();
  private guarded = new Set<string>();

  constructor(host: string, world: World, clock: HostClock) {
    this.host = host;
    this.world = world;
    this.clock = clock;
  }

  /** Until when the host answers for an address, or sends with a virtual MAC, if nothing is done; the past when it does not. */
  answersUntil(ip: string): TrueTime {
    if (this.dark) return -1;
    if (isVirtualRouterMac(ip)) return this.guarded.has(ip) ? this.openUntil(ip) : this.boundUntil(ip);
    const bound = this.bound.get(ip)?.until ?? -1;
    return this.guarded.has(ip) ? Math.min(bound, this.openUntil(ip)) : bound;
  }

  /** Every address that is bound or open here, and every virtual MAC. */
  known(): ReadonlySet<string> {
    const bound = grantFor([...this.bound.values()].map(({ address }) => address));
    return new Set([...bound, ...this.openUnder.keys()]);
  }

  /** The last that an address with this virtual MAC is bound. */
  private boundUntil(mac: string): TrueTime {
    const withMac = [...this.bound.values()].filter(({ address }) => address.virtualMac?.mac === mac);
    return Math.max(-1, ...withMac.map(({ until }) => until));
  }

  hasAddress(ip: string): boolean {
    return this.bound.has(ip);
  }

  /** Whether it answers because a person bound the address where no daemon guards it: that is nobody's fault here. */
  answersByHand(ip: string): boolean {
    return !this.guarded.has(ip) && this.bound.get(ip)?.address.ours === false;
  }

  /** What of an address' holding is left: bound with our mark and not fenced, or open. */
  isLeft(ip: string): boolean {
    const { now } = this.world;
    const bound = this.bound.get(ip);
    const answers = bound?.address.ours === true && bound.until > now;
    return answers || this.openUntil(ip) > now;
  }

  /** Somebody with an `ip` command. */
  bindByHand(ip: string): void {
    // This kernel knows one place of an address: another one beside a virtual MAC's device would take that one's away.
    if (this.bound.get(ip)?.address.interface.startsWith("vipd") === true) return;
    const address = record({ ip, prefix: 24, interface: INTERFACES[0] ?? "" }, false);
    this.change(() => this.bound.set(ip, { address, until: Number.POSITIVE_INFINITY }));
    this.tell({ kind: "address-added", address });
  }

  removeByHand(ip: string): void {
    this.remove(ip);
  }

  setLink(name: string, up: boolean): void {
    this.linksUp.set(name, up);
    for (const link of this.links()) if (link.name === name) this.tell({ kind: "link-changed", link });
  }

  isUp(name: string): boolean {
    return this.linksUp.get(name) === true;
  }

  links(): readonly Link[] {
    return [...this.linksUp].map(([name, up], i) => {
      const mac = `02:00:00:00:00:0${i + 1}`;
      return { index: i + 2, name, up, ethernet: true, loopback: false, mac, port: "" };
    });
  }

  get isDark(): boolean {
    return this.dark;
  }

  /** The machine falls asleep. */
  sleep(): void {
    this.dark = true;
  }

  /** It wakes up after `forMs`: what the kernel had counted down by then goes on. */
  wake(forMs: number, isAttended: boolean): void {
    for (const ip of this.openUnder.keys()) this.openSinceSleep.add(ip);
    if (!isAttended || this.refused.has("close")) this.abandon();
    this.sleptMs += forMs;
    for (const [number, until] of this.deadlines)
      if (until > this.world.now - forMs) this.deadlines.set(number, until + forMs);
    for (const [ip, { address, until }] of [...this.bound]) this.bindUntil(ip, address, until + forMs);
  }

  private attended(ip: string): void {
    this.unattended.delete(ip);
    this.openSinceSleep.delete(ip);
  }

  /** Nobody is there any more who could close what was open when the machine fell asleep. */
  abandon(): void {
    for (const ip of this.openSinceSleep) this.unattended.add(ip);
  }

  /** Its network is there again. */
  lighten(): void {
    this.change(() => (this.dark = false));
  }

  /** Somebody takes the fence away. */
  flushFence(): void {
    if (this.guarded.size === 0) return;
    this.flushed = true;
    this.guarded.clear();
    this.openUnder.clear();
  }

  bind(place: VipAddress, lifetimeMs: number): void {
    const seconds = Math.max(1, Math.ceil(lifetimeMs / 1_000));
    const address = record(place, true);
    this.change(() => this.bindUntil(place.ip, address, this.world.now + this.clock.stretch(seconds * 1_000)));
    this.tell({ kind: "address-added", address });
  }

  private bindUntil(ip: string, address: BoundAddress, until: TrueTime): void {
    this.bound.set(ip, { address, until });
    if (until === Number.POSITIVE_INFINITY) return;
    this.world.at(until, () => {
      if (this.bound.get(ip)?.until === until) this.remove(ip);
    });
  }

  /** `name`: only from that interface. */
  remove(ip: string, name?: string): boolean {
    const known = this.bound.get(ip);
    if (known === undefined || (name !== undefined && known.address.interface !== name)) return false;
    this.change(() => this.bound.delete(ip));
    this.routing.addressGone(ip);
    this.tell({ kind: "address-removed", address: known.address });
    return true;
  }

  addresses(): readonly BoundAddress[] {
    return [...this.bound.values()].map(({ address }) => address);
  }

  protect(ips: readonly string[]): ProtectResult {
    this.refuse("protect");
    const { flushed } = this;
    this.change(() => {
      this.flushed = false;
      const wanted = new Set(ips);
      for (const ip of [...this.openUnder.keys()])
        if (!this.guarded.has(ip) || !wanted.has(ip)) this.openUnder.delete(ip);
      this.guarded = wanted;
    });
    return flushed ? "closed" : "kept";
  }

  guardedAddresses(): readonly string[] {
    return [...this.guarded];
  }

  isIntact(): boolean {
    return !this.flushed && this.guarded.size > 0;
  }

  /** Begins to drop its news; the listener hears of the loss when it is over. */
  overrun(forMs: number): void {
    const { listener } = this;
    this.listener = null;
    this.world.at(this.world.now + forMs, () => {
      if (this.listener !== null || listener === null) return;
      this.listener = listener;
      this.tell({ kind: "overrun" });
    });
  }

  /** Arms: the result tells whether the armed element is still there. */
  arm(): () => boolean {
    this.refuse("open");
    // On the kernel's own clock, which stands still while the machine sleeps.
    const until = this.world.now - this.sleptMs + this.clock.stretch(ARM_MS);
    return () => this.world.now - this.sleptMs < until;
  }

  /** Opens these under a deadline, and sets it. */
  open(ips: readonly string[], deadline: number, timeoutMs: number): void {
    const until = this.world.now + this.clock.stretch(timeoutMs);
    this.change(() => {
      for (const ip of ips) this.openUnder.set(ip, deadline);
      this.deadlines.set(deadline, until);
    });
    const opened = [...this.openUnder].filter(([, under]) => under === deadline).map(([ip]) => ip);
    for (const ip of opened) this.attended(ip);
    this.onOpen(opened, until);
  }

  /** Closes all that is open under a deadline. */
  endDeadline(deadline: number): void {
    this.change(() => this.deadlines.delete(deadline));
  }

  close(ips: readonly string[]): void {
    this.refuse("close");
    this.change(() => {
      for (const ip of ips) {
        this.openUnder.delete(ip);
        this.attended(ip);
      }
    });
  }

  opened(): readonly string[] {
    return [...this.openUnder.keys()].filter((ip) => this.openUntil(ip) > this.world.now);
  }

  refuse(what: Refusal): void {
    if (this.refused.has(what)) throw new VipdError("kernel", `the kernel refuses to ${what}`);
  }

  private openUntil(ip: string): TrueTime {
    const under = this.openUnder.get(ip);
    return under === undefined ? -1 : (this.deadlines.get(under) ?? -1);
  }

  private change(run: () => void): void {
    run();
    this.onChange();
  }

  private tell(event: HostEvent | RoutingRemoved): void {
    this.listener?.(event);
  }
}

function record(place: Omit<AddressPlace, "family">, ours: boolean): BoundAddress {
  const { ip, prefix, interface: name, virtualMac } = place;
  const family = ip.includes(":") ? 6 : 4;
  const bound = {
    family,
    ip,
    prefix,
    interface: name,
    ours,
    keepalived: false,
    permanent: !ours,
    secondary: true,
  } as const;
  return virtualMac === undefined ? bound : { ...bound, virtualMac };
}

/** How a canary builds its fence wrongly. `keeps-quiet`: it does not tell that it had to be put up again. */
export type FenceFlaw = "unarmed" | "no-timeout" | "keeps-quiet";

/** The kernel as one process sees it; every call may be its last. */
export class HostPorts implements AddressTable {
  readonly fence: Fence;
  readonly packets: PacketLink;
  private readonly kernel: Kernel;
  private readonly process: Process;

  constructor(kernel: Kernel, process: Process, flaw: FenceFlaw | null) {
    this.kernel = kernel;
    this.process = process;
    this.fence = new FencePort(kernel, process, flaw);
    this.packets = {
      announce: (address) => this.announce(address),
      probe: () => new Promise(() => {}),
      close: () => {},
    };
  }

  bind(addresses: readonly VipAddress[], lifetimeMs: number): readonly AddressFailure[] {
    return this.each(addresses, "bind", (address) => this.kernel.bind(address, lifetimeMs));
  }

  unbind(addresses: readonly AddressPlace[]): ReturnType<AddressTable["unbind"]> {
    const removed: AddressPlace[] = [];
    const failures = this.each(addresses, "unbind", (address) => {
      if (this.kernel.remove(address.ip, address.interface)) removed.push(address);
    });
    return { removed, failures };
  }

  addresses(): readonly BoundAddress[] {
    this.process.point();
    return this.kernel.addresses();
  }

  links(): readonly Link[] {
    return this.kernel.links();
  }

  private each<T extends AddressPlace>(
    addresses: readonly T[],
    what: "bind" | "unbind",
    run: (address: T) => void,
  ): readonly AddressFailure[] {
    const failures: AddressFailure[] = [];
    for (const address of addresses) {
      this.process.point();
      if (this.kernel.refused.has(what)) failures.push({ address, message: `the kernel refuses to ${what}` });
      else run(address);
      this.process.point();
    }
    return failures;
  }

  private announce(address: VipAddress): boolean {
    this.process.point();
    return this.kernel.isUp(wireInterface(address));
  }
}

/** The fence, step by step as the doc comment of its port says. */
class FencePort implements Fence {
  readonly info = { kind: "netdev", flushProof: true, caveats: [] } as const;
  private readonly kernel: Kernel;
  private readonly process: Process;
  private readonly flaw: FenceFlaw | null;

  constructor(kernel: Kernel, process: Process, flaw: FenceFlaw | null) {
    this.kernel = kernel;
    this.process = process;
    this.flaw = flaw;
  }

  protect(addresses: readonly AddressPlace[]): ProtectResult {
    this.process.point();
    const result = this.kernel.protect(grantFor(addresses));
    return this.flaw === "keeps-quiet" ? "kept" : result;
  }

  open(addresses: readonly AddressPlace[], deadline: number, until: Instant): OpenResult {
    return this.set(addresses, [{ deadline, until }]);
  }

  extend(deadlines: readonly FenceDeadline[]): OpenResult {
    return this.set([], deadlines);
  }

  private set(addresses: readonly AddressPlace[], deadlines: readonly FenceDeadline[]): OpenResult {
    const { kernel, process } = this;
    process.point();
    const armed = kernel.arm();
    process.point();
    const readAt = kernel.clock.read(kernel.world.now);
    const timed = deadlines.map(({ deadline, until }) => ({ deadline, timeoutMs: until - readAt - ARM_MS }));
    if (timed.some(({ timeoutMs }) => timeoutMs <= 0)) return { kind: "too-late" };
    process.point();
    if (this.flaw !== "unarmed" && !armed()) return { kind: "too-late" };
    // The machine slept between the two transactions: the second one is undone before anything else happens.
    if (this.flaw === null && kernel.clock.read(kernel.world.now) - readAt > ARM_MS) {
      for (const { deadline } of deadlines) kernel.endDeadline(deadline);
      return { kind: "too-late" };
    }
    const ips = grantFor(addresses);
    for (const { deadline, timeoutMs } of timed)
      kernel.open(ips, deadline, this.flaw === "no-timeout" ? 1e9 : timeoutMs);
    process.point();
    return { kind: "open" };
  }

  close(addresses: readonly AddressPlace[]): void {
    this.process.point();
    this.kernel.close(grantFor(addresses));
    this.process.point();
  }

  openAddresses(): readonly string[] {
    return this.kernel.opened().filter((ip) => !isVirtualRouterMac(ip));
  }

  guardedAddresses(): readonly string[] {
    return this.kernel.guardedAddresses().filter((ip) => !isVirtualRouterMac(ip));
  }

  doubt(): void {}

  intact(): boolean {
    return this.kernel.isIntact();
  }

  remove(): void {
    this.process.point();
    this.kernel.protect([]);
  }

  release(): void {}
}

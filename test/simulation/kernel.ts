// A host's kernel: addresses with lifetimes, and the fence, both on the host's clock and both indifferent to
// what becomes of our process. A host answers for an address while it is bound, and open or not guarded.

import { VipdError } from "../../src/base/errors.ts";
import type { Instant } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import type {
  AddressTable,
  BoundAddress,
  Fence,
  HoldResult,
  HostEvent,
  Link,
  PacketLink,
} from "../../src/ports/host.ts";
import type { HostClock } from "./host-clock.ts";
import type { Process, TrueTime, World } from "./world.ts";

/** The armed element's timeout, as src/ports/host.ts has it, in milliseconds. */
const ARM_MS = 100;

/** The only interface of a host. */
export const INTERFACE = "eth0";

/** What the kernel refuses for the time being. */
export type Refusal = "bind" | "unbind" | "close" | "hold";

/** A host's kernel during one boot. */
export class Kernel {
  readonly host: string;
  readonly world: World;
  readonly clock: HostClock;
  readonly refused = new Set<Refusal>();
  linkUp = true;
  /** Called after each change of what the host answers for: the checker's. */
  onChange: () => void = () => {};
  /** Called after the fence was opened or extended. */
  onOpen: (ips: readonly string[], until: TrueTime) => void = () => {};
  /** The daemon that listens, if any; it hears at once and deals with it later. */
  listener: ((event: HostEvent) => void) | null = null;
  private readonly bound = new Map<string, { readonly address: BoundAddress; readonly until: TrueTime }>();
  private readonly openUntil = new Map<string, TrueTime>();
  private guarded = new Set<string>();

  constructor(host: string, world: World, clock: HostClock) {
    this.host = host;
    this.world = world;
    this.clock = clock;
  }

  /** Until when the host answers for an address if nothing is done; the past when it does not. */
  answersUntil(ip: string): TrueTime {
    const bound = this.bound.get(ip)?.until ?? -1;
    return this.guarded.has(ip) ? Math.min(bound, this.openUntil.get(ip) ?? -1) : bound;
  }

  /** Every address that is bound here. */
  ipsKnown(): Iterable<string> {
    return this.bound.keys();
  }

  /** Whether it answers because a person bound the address where no daemon guards it: that is nobody's fault here. */
  answersByHand(ip: string): boolean {
    return !this.guarded.has(ip) && this.bound.get(ip)?.address.ours === false;
  }

  /** What of an address' holding is left: bound with our mark, or open. */
  isLeft(ip: string): boolean {
    const bound = this.bound.get(ip);
    return (
      (bound?.address.ours === true && bound.until > this.world.now) || (this.openUntil.get(ip) ?? -1) > this.world.now
    );
  }

  /** Somebody with an `ip` command. */
  bindByHand(ip: string): void {
    const address: BoundAddress = { family: 4, ip, prefix: 24, interface: INTERFACE, ours: false };
    this.change(() => this.bound.set(ip, { address, until: Number.POSITIVE_INFINITY }));
    this.tell({ kind: "address-added", address });
  }

  removeByHand(ip: string): void {
    this.remove(ip);
  }

  setLink(up: boolean): void {
    this.linkUp = up;
    this.tell({ kind: "link-changed", link: this.link() });
  }

  link(): Link {
    return { index: 2, name: INTERFACE, up: this.linkUp, ethernet: true, loopback: false, mac: "02:00:00:00:00:01" };
  }

  bind(address: VipAddress, lifetimeMs: number): void {
    this.refuse("bind");
    const seconds = Math.max(1, Math.ceil(lifetimeMs / 1_000));
    const until = this.world.now + this.clock.stretch(seconds * 1_000);
    const { family, ip, prefix } = address;
    const record: BoundAddress = { family, ip, prefix, interface: INTERFACE, ours: true };
    this.change(() => this.bound.set(ip, { address: record, until }));
    this.world.at(until, () => {
      if (this.bound.get(ip)?.until === until) this.remove(ip);
    });
    this.tell({ kind: "address-added", address: record });
  }

  unbind(ip: string): boolean {
    this.refuse("unbind");
    return this.remove(ip);
  }

  addresses(): readonly BoundAddress[] {
    return [...this.bound.values()].map(({ address }) => address);
  }

  protect(ips: readonly string[]): void {
    this.change(() => {
      const wanted = new Set(ips);
      for (const ip of [...this.openUntil.keys()])
        if (!this.guarded.has(ip) || !wanted.has(ip)) this.openUntil.delete(ip);
      this.guarded = wanted;
    });
  }

  isGuarded(): boolean {
    return this.guarded.size > 0;
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
    this.refuse("hold");
    const until = this.world.now + this.clock.stretch(ARM_MS);
    return () => this.world.now < until;
  }

  /** Sets the timeouts of these elements. */
  open(ips: readonly string[], timeoutMs: number): void {
    const until = this.world.now + this.clock.stretch(timeoutMs);
    this.change(() => {
      for (const ip of ips) this.openUntil.set(ip, until);
    });
    this.onOpen(ips, until);
  }

  close(ips: readonly string[]): void {
    this.refuse("close");
    this.change(() => {
      for (const ip of ips) this.openUntil.delete(ip);
    });
  }

  opened(): readonly string[] {
    return [...this.openUntil].filter(([, until]) => until > this.world.now).map(([ip]) => ip);
  }

  private remove(ip: string): boolean {
    const known = this.bound.get(ip);
    if (known === undefined) return false;
    this.change(() => this.bound.delete(ip));
    this.tell({ kind: "address-removed", address: known.address });
    return true;
  }

  private change(run: () => void): void {
    run();
    this.onChange();
  }

  private tell(event: HostEvent): void {
    this.listener?.(event);
  }

  private refuse(what: Refusal): void {
    if (this.refused.has(what)) throw new VipdError("kernel", `the kernel refuses to ${what}`);
  }
}

/** How a canary builds its fence wrongly. */
export type FenceFlaw = "unarmed" | "no-timeout";

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
    this.packets = { announce: () => this.announce(), probe: () => new Promise(() => {}), close: () => {} };
  }

  bind(address: VipAddress, lifetimeMs: number): void {
    this.process.point();
    this.kernel.bind(address, lifetimeMs);
    this.process.point();
  }

  unbind(address: Pick<VipAddress, "ip">): boolean {
    this.process.point();
    const was = this.kernel.unbind(address.ip);
    this.process.point();
    return was;
  }

  addresses(): readonly BoundAddress[] {
    this.process.point();
    return this.kernel.addresses();
  }

  links(): readonly Link[] {
    return [this.kernel.link()];
  }

  private announce(): boolean {
    this.process.point();
    return this.kernel.linkUp;
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

  protect(addresses: readonly VipAddress[]): void {
    this.process.point();
    this.kernel.protect(addresses.map(({ ip }) => ip));
  }

  hold(addresses: readonly VipAddress[], until: Instant): HoldResult {
    const { kernel, process } = this;
    process.point();
    const armed = kernel.arm();
    process.point();
    const timeoutMs = until - kernel.clock.read(kernel.world.now) - ARM_MS;
    if (timeoutMs <= 0) return { kind: "too-late" };
    process.point();
    if (this.flaw !== "unarmed" && !armed()) return { kind: "too-late" };
    kernel.open(
      addresses.map(({ ip }) => ip),
      this.flaw === "no-timeout" ? 1e9 : timeoutMs,
    );
    process.point();
    return { kind: "open" };
  }

  close(addresses: readonly VipAddress[]): void {
    this.process.point();
    this.kernel.close(addresses.map(({ ip }) => ip));
    this.process.point();
  }

  open(): readonly string[] {
    return this.kernel.opened();
  }

  intact(): boolean {
    return this.kernel.isGuarded();
  }

  remove(): void {
    this.process.point();
    this.kernel.protect([]);
  }

  release(): void {}
}

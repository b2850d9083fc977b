// The real servers of a running daemon: makes the host what the configuration says, at the start and at a reload, and looks
// after it. What others have taken away (a flush of the nftables rules, an interface that was made anew) is put back. A VIP
// that this node has just ceased to be a candidate for is guarded a little longer: its turn comes when it is let go.
//
// When the daemon stops, all stays as it is: packets of the director still arrive, whether or not this vipd runs.

import { messageOf, isVipdError } from "../base/errors.ts";
import { later } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";
import type { HostEvent } from "../ports/host.ts";
import type { Logger } from "../ports/logger.ts";
import type { RealServer, RealServers, RealServerState } from "../ports/real-server.ts";
import { sameServer } from "../realserver/servers.ts";

/** How often the kernel is looked at while this host is a real server, in milliseconds. */
const LOOK_EVERY_MS = 5_000;

/** While something is not as it should be: first after this time, then after twice as long each time. In milliseconds. */
const LOOK_AGAIN_MS = 250;

/** News of the kernel come in bursts: one look for all that come within this time, in milliseconds. */
const NEWS_MS = 50;

/** What they work with. */
export interface RealServerServiceDeps {
  readonly timers: Timers;
  readonly log: Logger;
  /** Opens them for one change. */
  readonly open: (signal: AbortSignal) => Promise<RealServers>;
  /** Something that status shows has changed. */
  readonly changed: () => void;
}

/** Looks after the real servers of the configuration. */
export class RealServerService {
  private readonly deps: RealServerServiceDeps;
  private readonly stopped = new AbortController();
  private servers: readonly RealServer[] = [];
  private seen: readonly RealServerState[] = [];
  private readonly told = new Map<string, string>();
  private cancel: () => void = () => {};
  private cancelNews: (() => void) | undefined;
  /** Looks in a row that found something wrong. */
  private failures = 0;
  /** One change at a time. */
  private turn: Promise<void> = Promise.resolve();

  constructor(deps: RealServerServiceDeps) {
    this.deps = deps;
  }

  /** How they stood at the last look. */
  get states(): readonly RealServerState[] {
    return this.seen;
  }

  /** Takes down what is not among these, and leaves the others as they are: before the VIPs of a reload are taken on. */
  retire(servers: readonly RealServer[]): Promise<void> {
    const text = new Set(servers.map((server) => JSON.stringify(server)));
    this.servers = this.servers.filter((server) => text.has(JSON.stringify(server)));
    return this.look();
  }

  /** Makes the host a real server of these, now and from now on. Never rejects: what fails is told, and tried again. */
  follow(servers: readonly RealServer[]): Promise<void> {
    this.servers = servers;
    return this.look();
  }

  /** News of the kernel that may be about them: vipctl's changes are seen by the addresses of lo. */
  onHostEvent(event: HostEvent): void {
    if (this.cancelNews !== undefined || this.stopped.signal.aborted || !this.concerns(event)) return;
    const { timers } = this.deps;
    this.cancelNews = timers.at(later(timers.now(), NEWS_MS), () => {
      this.cancelNews = undefined;
      void this.look();
    });
  }

  private concerns(event: HostEvent): boolean {
    switch (event.kind) {
      case "address-added":
      case "address-removed": {
        const { ip, served } = event.address;
        return served === true || this.seen.some(({ addresses }) => addresses.some((address) => address.ip === ip));
      }
      case "link-changed":
        return this.servers.some(({ interfaces }) => interfaces.includes(event.link.name));
      case "link-removed":
        return this.servers.some(({ interfaces }) => interfaces.includes(event.name));
      case "overrun":
        return this.servers.length > 0 || this.seen.length > 0;
    }
  }

  /** Ends looking after them; they stay as they are. */
  async close(): Promise<void> {
    this.stopped.abort();
    this.cancel();
    this.cancelNews?.();
    await this.turn;
  }

  private look(): Promise<void> {
    this.turn = this.turn.then(() => this.lookNow());
    return this.turn;
  }

  private async lookNow(): Promise<void> {
    this.cancel();
    if (this.stopped.signal.aborted) return;
    const isWell = await this.establish();
    const { timers } = this.deps;
    if (this.stopped.signal.aborted) return;
    this.failures = isWell ? 0 : this.failures + 1;
    if (isWell && this.servers.length === 0 && this.seen.length === 0) return;
    const inMs = isWell ? LOOK_EVERY_MS : Math.min(LOOK_EVERY_MS, LOOK_AGAIN_MS * 2 ** Math.min(this.failures, 8));
    this.cancel = timers.at(later(timers.now(), inMs), () => void this.look());
  }

  /** Whether all is as it should be, as far as it depends on this host. */
  private async establish(): Promise<boolean> {
    const { log, open } = this.deps;
    try {
      const kernel = await open(this.stopped.signal);
      try {
        const before = kernel.look(this.servers);
        for (const { name, state, trouble } of before)
          if (state === "up" && trouble !== null && this.isKnown(name))
            log.warn({ realServer: name }, `real server of ${name}: ${trouble}; it is put right`);
        if (this.isAsWanted(before)) this.show(before);
        else {
          for (const remark of kernel.follow(this.servers)) log.warn({}, remark);
          this.show(kernel.look(this.servers));
        }
      } finally {
        kernel.close();
      }
      this.told.delete("");
      return this.seen.every(({ trouble }) => trouble === null);
    } catch (error) {
      if (!isVipdError(error, "aborted")) this.tell("", messageOf(error));
      return false;
    }
  }

  /** Whether nothing is to be changed: the usual case, in which the kernel is asked little. */
  private isAsWanted(states: readonly RealServerState[]): boolean {
    const ofFile = states.filter(({ by }) => by === "file");
    return (
      states.every(({ trouble }) => trouble === null) &&
      ofFile.length === this.servers.length &&
      this.servers.every((server) => ofFile.some((other) => sameServer(server, other)))
    );
  }

  /** Whether it was up and well at the last look. */
  private isKnown(name: string): boolean {
    return this.seen.some((other) => other.name === name && other.state === "up" && other.trouble === null);
  }

  private show(states: readonly RealServerState[]): void {
    const { log, changed } = this.deps;
    const before = new Map(this.seen.map((each) => [each.name, each]));
    for (const { name, state, trouble, addresses } of states) {
      if (trouble !== null) this.tell(name, trouble);
      else this.told.delete(name);
      const old = before.get(name);
      if (trouble !== null || (old?.state === state && old.trouble === null)) continue;
      const ips = addresses.map(({ ip }) => ip);
      log.info({ realServer: name, ips }, state === "up" ? "is a real server" : "is no real server: down by hand");
    }
    const isSame = JSON.stringify(this.seen) === JSON.stringify(states);
    this.seen = states;
    if (!isSame) changed();
  }

  /** Says the same once. */
  private tell(name: string, trouble: string): void {
    if (this.told.get(name) === trouble) return;
    this.told.set(name, trouble);
    const text = name === "" ? `the real servers of this host: ${trouble}` : `real server of ${name}: ${trouble}`;
    this.deps.log.error(name === "" ? {} : { realServer: name }, text);
  }
}

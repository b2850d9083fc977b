// A node with a VRRP elector, on a wire in memory.

import type { Candidacy } from "../../../src/base/candidacy.ts";
import type { VipAddress } from "../../../src/base/vip.ts";
import { NO_AUTHENTICATION } from "../../../src/base/vrrp.ts";
import type { VipConfig, VrrpConfig } from "../../../src/config/types.ts";
import { VrrpElector } from "../../../src/node/vrrp-elector.ts";
import { type Sighting, VrrpHistory } from "../../../src/node/vrrp-history.ts";
import type { HistoryKeeper } from "../../../src/node/vrrp-history-file.ts";
import type { ElectorHost } from "../../../src/ports/elector.ts";
import type { BoundAddress, Link } from "../../../src/ports/host.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";
import { vipConfig } from "./config.ts";
import { address, link } from "./fake-host.ts";
import { FakeWire } from "./fake-wire.ts";

/** Its virtual router, its VIP, its own address. */
export const VRRP: VrrpConfig = {
  kind: "vrrp",
  interface: "eth0",
  vrid: 51,
  version: 2,
  intervalMs: 1_000,
  priority: null,
  authentication: NO_AUTHENTICATION,
  keyFiles: [],
  unicastPeers: [],
  source: null,
  farewellWaitMs: null,
};
export const WEB = vipConfig("web", [address("10.0.0.50")], { vrrp: VRRP });
export const OWN: BoundAddress = {
  family: 4,
  ip: "10.0.0.1",
  prefix: 24,
  interface: "eth0",
  ours: false,
  permanent: true,
  secondary: false,
  keepalived: false,
};
/** Three intervals and the skew of priority 100. */
export const DOWN_MS = 3_610;

/** One node, and what it told its host. */
export class Node {
  readonly timers = new VirtualTimers();
  readonly wire = new FakeWire(this.timers);
  readonly told: string[] = [];
  /** What it was to let go of, by call. */
  readonly losses: (readonly string[])[] = [];
  readonly histories: HistoryKeeper & { changes: number };
  vips: readonly VipConfig[] = [WEB];
  /** What the wire was asked. */
  readonly questions: { readonly ips: readonly string[]; readonly done: (isSilent: boolean) => void }[] = [];
  links: readonly Link[] = [link("eth0")];
  addresses: readonly BoundAddress[] = [OWN];
  mayClaim = true;
  /** Whether the host lets go when it is told to. */
  obeys = true;
  readonly elector: VrrpElector;

  /** `before`: what an earlier process saw of each VIP; `asks`: whether the wire can be asked who answers. */
  constructor(before: readonly Sighting[] = [], { asks = true } = {}) {
    this.histories = memoryOf(before);
    const host: ElectorHost = {
      gain: ([grant], { deadline, until }) =>
        void this.told.push(
          `gain ${grant?.election} ${grant?.addresses.join()} (${grant?.reason.code}) under ${deadline} for ${this.forMs(until)}`,
        ),
      extend: (validities) =>
        void this.told.push(
          `extend ${validities.map(({ deadline, until }) => `${deadline} for ${this.forMs(until)}`).join()}`,
        ),
      lose: (losses) => {
        this.losses.push(losses.map(({ election, reason: why }) => `${election} (${why.code})`));
        for (const loss of losses) this.told.push(`lose ${loss.election} (${loss.reason.code})`);
        if (this.obeys) this.elector.released(losses.map(({ election }) => election));
      },
      adopted: () => {},
      confirm: (confirmed) => {
        for (const { election, addresses } of confirmed) this.told.push(`confirm ${election} ${addresses.join()}`);
      },
      announce: (election) => void this.told.push(`announce ${election}`),
      contested: (election, by) => void this.told.push(`contested ${election}: ${by ?? "nobody"}`),
      note: (level, election, text) => void this.told.push(`${level} ${election ?? "-"}: ${text}`),
      changed: () => {},
      stopped: () => void this.told.push("stopped"),
    };
    const { timers, wire } = this;
    this.elector = new VrrpElector(
      {
        node: "n1",
        timers,
        sender: wire,
        openReceiver: wire.openReceiver,
        histories: this.histories,
        place: () => ({ links: this.links, addresses: this.addresses }),
        vips: () => this.vips,
        mayClaim: () => this.mayClaim,
        ...(asks ? { askIfSilent: (addresses, done) => this.ask(addresses, done) } : {}),
        firstDeadline: 1,
      },
      host,
    );
  }

  private ask(addresses: readonly VipAddress[], done: (isSilent: boolean) => void): void {
    this.questions.push({ ips: addresses.map(({ ip }) => ip), done });
  }

  wish(change: Partial<Candidacy> = {}, ...names: readonly string[]): this {
    const wished = names.length === 0 ? ["web"] : names;
    this.elector.updateCandidacies(new Map(wished.map((name) => [name, { ...this.candidacyOf(name), ...change }])));
    return this;
  }

  private candidacyOf(name: string): Candidacy {
    const vip = this.vips.find((other) => other.name === name);
    const addresses = vip?.addresses.map(({ ip, prefix }) => `${ip}/${prefix}`) ?? [];
    const common = { priority: 100, ineligible: null, preempt: true, preemptDelayMs: 0, interface: "eth0" } as const;
    return { ...common, addresses, macs: [], lastResort: false, spread: null, minHoldMs: 0 };
  }

  start(): this {
    this.elector.start();
    this.told.length = 0;
    return this;
  }

  /** Master, with one advert out. */
  async hold(): Promise<this> {
    this.wish().start();
    await this.timers.advance(DOWN_MS);
    this.wire.voices.at(-1)?.send();
    return this;
  }

  news(): readonly string[] {
    return this.told.splice(0);
  }

  hear(priority: number, source = "10.0.0.9"): void {
    const advert = { version: 2, vrid: 51, priority, intervalMs: 1_000, addresses: ["10.0.0.50"] } as const;
    this.wire.hear(advert, source);
  }

  private forMs(until: number): number {
    return Math.floor(until - this.timers.now());
  }
}

/** Histories that were kept, and how often they have changed since. */
function memoryOf(before: readonly Sighting[]): HistoryKeeper & { changes: number } {
  const kept = new Map<string, VrrpHistory>();
  const keeper = {
    changes: 0,
    of: (vip: string): VrrpHistory => {
      const history = kept.get(vip) ?? new VrrpHistory(before);
      kept.set(vip, history);
      return history;
    },
    changed: (): void => void (keeper.changes += 1),
    close: () => Promise.resolve(),
  };
  return keeper;
}

// The electors of a daemon: the lease where there is a store, VRRP for the VIPs that ask for it.

import { openReceiver } from "../../adapters/linux/vrrp-receiver.ts";
import { createAdvertSender } from "../../adapters/linux/vrrp-sender.ts";
import type { LinuxHost } from "../../adapters/linux/index.ts";
import { assert } from "../base/assert.ts";
import { VipdError } from "../base/errors.ts";
import type { Config, VipConfig } from "../config/types.ts";
import type { Daemon } from "../node/daemon.ts";
import { HostElectors } from "../node/host-electors.ts";
import { LeaseElector } from "../node/lease-elector.ts";
import type { VrrpElector } from "../node/vrrp-elector.ts";
import { type HistoryKeeper, openHistories } from "../node/vrrp-history-file.ts";
import { findSource } from "../node/vrrp-place.ts";
import { wireQuestions } from "../node/wire-question.ts";
import type { Elector, ElectorHost } from "../ports/elector.ts";
import type { IdentityKeeper } from "../ports/identity.ts";
import type { Logger } from "../ports/logger.ts";
import type { Store } from "../ports/store.ts";
import type { AdvertSender } from "../ports/vrrp.ts";
import { storeCalls } from "../runtime/store-calls.ts";
import { systemEntropy } from "../runtime/timers.ts";

/** What electors are made of. */
export interface ElectorParts {
  readonly config: Config;
  readonly hostName: string;
  readonly host: LinuxHost;
  /** `null`: no VIP needs one. */
  readonly store: Store | null;
  readonly identity: IdentityKeeper;
  readonly log: Logger;
  /** The VIPs that are configured now. */
  readonly vips: () => readonly VipConfig[];
}

/** The electors of one daemon. */
export class DaemonElectors {
  readonly sender: AdvertSender;
  readonly histories: HistoryKeeper;
  private readonly parts: ElectorParts;
  private joined: HostElectors | undefined;

  constructor(parts: ElectorParts) {
    this.parts = parts;
    const { config, host, log } = parts;
    this.sender = createAdvertSender({ clock: host.clock });
    this.histories = openHistories(config.stateDir, {
      timers: host.timers,
      onTrouble: (message) => log.warn({}, message),
    });
  }

  /** `undefined`: there is no store. */
  get lease(): LeaseElector | undefined {
    return this.joined?.lease;
  }

  get vrrp(): VrrpElector {
    assert(this.joined !== undefined, "a daemon makes its electors");
    return this.joined.vrrp;
  }

  make(host: ElectorHost): Elector {
    const { store, config, host: linux, vips } = this.parts;
    const { addresses, timers, packets } = linux;
    const makeLease = store === null ? null : (leaseHost: ElectorHost) => this.makeLease(store, leaseHost);
    const vrrp = {
      node: config.node,
      timers,
      sender: this.sender,
      openReceiver,
      histories: this.histories,
      askIfSilent: wireQuestions(packets),
      place: () => ({ links: addresses.links(), addresses: addresses.addresses() }),
      vips,
    };
    this.joined = new HostElectors({ makeLease, vrrp }, host);
    return this.joined.chosen;
  }

  /** After a reload. */
  refresh(): void {
    this.joined?.refresh();
  }

  private makeLease(store: Store, host: ElectorHost): LeaseElector {
    const { config, hostName, identity, host: linux } = this.parts;
    const { incarnation, adopt, knownTtlMs } = identity;
    const { node, fleet, ttlMs } = config;
    const self = { node, fleet, host: hostName, processId: systemEntropy.uniqueId(), ttlMs, knownTtlMs };
    return new LeaseElector(
      { self, incarnation, adopt },
      {
        calls: storeCalls(store, linux.timers, this.parts.log),
        timers: linux.timers,
        renewIncarnation: () => identity.renew(),
        rememberTtl: (longestTtlMs) => identity.rememberTtl(longestTtlMs),
      },
      host,
    );
  }
}

/** What is a slip in the file is told at the start; what comes later makes this node stand back. */
export function checkVirtualRouters({ vips }: Config, { addresses }: LinuxHost): void {
  const place = { links: addresses.links(), addresses: addresses.addresses() };
  for (const vip of vips) {
    if (vip.vrrp === undefined) continue;
    const found = findSource(vip, vip.vrrp, vips, place);
    if ("trouble" in found)
      throw new VipdError("interface", `vips.${vip.name}.vrrp: ${found.trouble}`, { vip: vip.name });
  }
}

/** The VIPs that a daemon holds, by the electors' word. */
export function heldBy(daemon: Daemon): readonly string[] {
  return daemon.running.vips.flatMap(({ name }) => (daemon.elector.tokenOf(name) === undefined ? [] : [name]));
}

// Asks the wire who else answers for a VIP: a few at a time, so that thousands of VIPs cost neither a burst of packets
// nor the daemon its time.

import { messageOf } from "../base/errors.ts";
import type { VipAddress } from "../base/vip.ts";
import type { Logger } from "../ports/logger.ts";
import type { PacketLink } from "../ports/host.ts";

/** How long a probe for other answerers listens, in milliseconds. */
const PROBE_MS = 60;

/** So many VIPs are asked for at a time. */
const AT_ONCE = 32;

/** What a prober works with. */
export interface ProberDeps {
  readonly packets: PacketLink;
  readonly log: Logger;
  readonly addressesOf: (vip: string) => readonly VipAddress[];
  /** The hardware addresses of others that answered. */
  readonly probed: (vip: string, others: readonly string[]) => void;
}

/** Probes VIPs in the order in which it was asked for; one that waits already is not asked for twice. */
export class Prober {
  private readonly deps: ProberDeps;
  private readonly ending = new AbortController();
  private readonly waiting = new Set<string>();
  private running = 0;

  constructor(deps: ProberDeps) {
    this.deps = deps;
  }

  probe(vips: readonly string[]): void {
    for (const vip of vips) this.waiting.add(vip);
    this.next();
  }

  close(): void {
    this.waiting.clear();
    this.ending.abort();
  }

  private next(): void {
    for (const vip of this.waiting) {
      if (this.running >= AT_ONCE || this.ending.signal.aborted) return;
      this.waiting.delete(vip);
      this.running += 1;
      void this.ask(vip).finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }

  private async ask(vip: string): Promise<void> {
    const { packets, log, addressesOf, probed } = this.deps;
    const { signal } = this.ending;
    try {
      const answers = await Promise.all(addressesOf(vip).map((address) => packets.probe(address, PROBE_MS, signal)));
      probed(vip, [...new Set(answers.flat().map(({ mac }) => mac))].sort());
    } catch (error) {
      if (!signal.aborted) log.warn({ vip, error: messageOf(error) }, "the wire could not be asked who else answers");
    }
  }
}

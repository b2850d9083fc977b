// What VRRP adverts a switch takes in: from which host, and when by the kernel's clock.

import type { Lan } from "../hosts/harness/lan.ts";
import { isAdvert, listenAtSwitch } from "../hosts/harness/switch-socket.ts";

interface Heard {
  readonly host: string;
  /** CLOCK_BOOTTIME in milliseconds, by the kernel. */
  readonly at: number;
}

/** Listens to a LAN's hosts from its making until closed. */
export class AdvertWatch {
  private readonly heard: Heard[] = [];
  private readonly end: () => void;

  constructor(lan: Lan) {
    this.end = listenAtSwitch(lan, lan.hosts, ({ host, bytes, stamp }) => {
      if (isAdvert(bytes)) this.heard.push({ host, at: stamp() });
    });
  }

  /** Times between two adverts of one host that nobody spoke between, in milliseconds. */
  gapsMs(): readonly number[] {
    return this.heard.slice(1).flatMap(({ host, at }, i) => {
      const before = this.heard[i];
      return before?.host === host ? [at - before.at] : [];
    });
  }

  /** How often another host spoke than the one before. */
  changes(): number {
    return this.heard.slice(1).filter(({ host }, i) => this.heard[i]?.host !== host).length;
  }

  close(): void {
    this.end();
  }
}

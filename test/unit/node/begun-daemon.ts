// A daemon on a host in memory, with an elector that does what a test says.

import type { Config, VipConfig } from "../../../src/config/types.ts";
import { Daemon, type DaemonDeps } from "../../../src/node/daemon.ts";
import type { IdentityKeeper } from "../../../src/ports/identity.ts";
import { config, vipConfig } from "./config.ts";
import { FakeElector } from "./fake-elector.ts";
import { address, FakeHost } from "./fake-host.ts";
import { FakeLog } from "./fake-log.ts";

/** `web` on eth0 with 10.0.0.1, `db` on eth0 with 10.0.0.2, `mail` on eth1 with 10.0.1.1. */
export const WEB = vipConfig("web", [address("10.0.0.1")]);
export const DB = vipConfig("db", [address("10.0.0.2")]);
export const MAIL = vipConfig("mail", [address("10.0.1.1", "eth1")]);

/** How a daemon begins. */
export interface BeginOptions extends Pick<DaemonDeps, "makeChecks" | "tell" | "maintenance"> {
  readonly adopt?: boolean;
  readonly startupDelayMs?: number;
}

export class BegunDaemon {
  readonly host = new FakeHost();
  readonly log = new FakeLog();
  readonly daemon: Daemon;
  readonly elector: FakeElector;
  changes = 0;

  constructor(vips: readonly VipConfig[] = [WEB, DB, MAIL], options: BeginOptions = {}) {
    const { host } = this;
    let made: FakeElector | undefined;
    const { adopt = false, startupDelayMs = 0, ...more } = options;
    this.daemon = new Daemon(
      { ...config(vips), startupDelayMs },
      {
        ...more,
        timers: host.timers,
        identity: this.identity(adopt),
        addresses: host,
        fence: host.fence,
        firstDeadline: 900,
        packets: host.packets,
        monitor: host.monitor,
        log: this.log,
        makeElector: (electorHost) => (made = new FakeElector(electorHost, host.timers)),
      },
    );
    if (made === undefined) throw new Error("a daemon makes its elector");
    this.elector = made;
    this.daemon.onChange(() => (this.changes += 1));
  }

  /** Starts it, and forgets what it did for that. */
  start(): this {
    this.daemon.start();
    this.host.news();
    this.elector.news();
    return this;
  }

  reload(vips: readonly VipConfig[], change: Partial<Config> = {}): void {
    this.daemon.reload({ ...config(vips), ...change });
  }

  /** Grants elections, and forgets what came of it. */
  hold(...elections: readonly string[]): this {
    this.elector.grant(...elections);
    this.host.news();
    this.elector.news();
    return this;
  }

  private identity(adopt: boolean): IdentityKeeper {
    return {
      incarnation: "i",
      adopt,
      knownTtlMs: 0,
      rememberTtl: () => {},
      fenceWasSet: () => {},
      renew: () => "j",
      release: () => void this.host.calls.push("release the identity"),
    };
  }
}

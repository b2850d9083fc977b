// Three keepalived become three vipd with a store, one node at a time, leave VRRP and join it again, and become keepalived again:
// the client's longest gap in each step, beside three keepalived alone of which the same node is restarted, or reads its file anew.

import { type DaemonProcess, Fleet, type NodeSettings, VIP } from "../hosts/harness/fleet.ts";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { Lan, type Station } from "../hosts/harness/lan.ts";
import { Recorder } from "../hosts/harness/recorder.ts";
import { Keepalived } from "../interop/parties.ts";
import { pause } from "./stage.ts";
import type { Row } from "./table.ts";

/** What a step may cost beyond keepalived's. */
const SLACK_MS = 1_000;

/** keepalived's priorities; the vipd nodes are one router between the first and the second. */
const PRIORITIES = { a: 150, b: 100, c: 50 } as const;
const FLEET_PRIORITY = 120;

/** Longer than any router waits for another, and than a better one waits for a worse. */
const SETTLE_MS = 5_000;

type Name = keyof typeof PRIORITIES;

/** The backups first. */
const ORDER: readonly Name[] = ["c", "b", "a"];

type Gaps = ReadonlyMap<Name, number>;

const instance = (name: Name): string =>
  `vrrp_instance web {\nstate BACKUP\ninterface eth0\nvirtual_router_id 51\npriority ${PRIORITIES[name]}\nadvert_int 1\nvirtual_ipaddress {\n${VIP}/24\n}\n}\n`;

const vipd = (isMixed: boolean): NodeSettings => {
  const vrrp = isMixed
    ? `    election: lease\n    vrrp: { id: 51, version: 2, interval: 1s, priority: ${FLEET_PRIORITY} }\n`
    : "";
  const vips = `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    preempt: false\n${vrrp}`;
  return { vips, logLevel: "info" };
};

/** Three hosts, each with a keepalived or a vipd, and a client. */
class Three {
  private readonly lan = new Lan(["a", "b", "c"]);
  private readonly fleet = new Fleet(this.lan, "dist/bin");
  private readonly recorder = new Recorder(this.lan, [VIP]);
  private readonly closers: (() => void)[] = [];
  private readonly peers = new Map<Name, Keepalived>();
  private readonly daemons = new Map<Name, DaemonProcess>();

  async start(): Promise<void> {
    for (const name of ORDER) this.startKeepalived(name);
    await this.recorder.answered(VIP, (host) => host === "a", bootTimeMs(), 20_000);
    await pause(SETTLE_MS);
  }

  /** One step on each node, one after the other, each with the client's longest gap in it and in the time after it. */
  async each(run: (name: Name) => Promise<void>): Promise<Gaps> {
    const gaps = new Map<Name, number>();
    for (const name of ORDER) {
      const from = bootTimeMs();
      await run(name);
      await pause(SETTLE_MS);
      gaps.set(name, this.recorder.gapMs(VIP, from));
    }
    return gaps;
  }

  async restartKeepalived(name: Name): Promise<void> {
    await this.peers.get(name)?.stop();
    this.startKeepalived(name);
  }

  async reloadKeepalived(name: Name): Promise<void> {
    this.peers.get(name)?.reload(instance(name));
    await pause(100);
  }

  async toVipd(name: Name): Promise<void> {
    await this.peers.get(name)?.stop();
    const daemon = this.fleet.start(this.host(name), vipd(true));
    this.daemons.set(name, daemon);
    await daemon.until("is a candidate", ({ elections: [web] }) =>
      (web?.candidates ?? []).some(({ node }) => node === name),
    );
  }

  async reloadVipd(name: Name, isMixed: boolean): Promise<void> {
    const daemon = this.daemons.get(name);
    this.fleet.configure(this.host(name), vipd(isMixed));
    daemon?.signal("SIGHUP");
    const elector = isMixed ? "lease+vrrp" : "lease";
    await daemon?.until(`is elected by ${elector}`, ({ elections: [web] }) => web?.elector === elector);
  }

  async toKeepalived(name: Name): Promise<void> {
    const daemon = this.daemons.get(name);
    daemon?.signal("SIGTERM");
    await daemon?.ended;
    this.startKeepalived(name);
  }

  async close(): Promise<void> {
    for (const close of this.closers) close();
    this.recorder.close();
    await this.fleet.close();
    this.lan.close();
  }

  private startKeepalived(name: Name): void {
    const place = { peer: this.host(name).namespace, onClose: (closer: () => void) => void this.closers.push(closer) };
    const known = this.peers.get(name);
    const { ip } = this.host(name);
    const dialect = { version: 2, intervalMs: 1_000, unicast: false, vip: VIP, own: "", theirs: ip } as const;
    const peer = known ?? new Keepalived(place, dialect);
    this.peers.set(name, peer.startWith(instance(name)));
  }

  private host(name: Name): Station {
    const host = this.lan.hosts.find((other) => other.name === name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }
}

/** Each kind of step, beside keepalived's. */
export async function migration(): Promise<readonly Row[]> {
  const { restarts, reloads } = await withThree(async (three) => ({
    restarts: await three.each((name) => three.restartKeepalived(name)),
    reloads: await three.each((name) => three.reloadKeepalived(name)),
  }));
  return withThree(async (three) => [
    row("a keepalived becomes vipd", await three.each((name) => three.toVipd(name)), restarts),
    row("a vipd leaves VRRP", await three.each((name) => three.reloadVipd(name, false)), reloads),
    row("a vipd joins VRRP", await three.each((name) => three.reloadVipd(name, true)), reloads),
    row("a vipd becomes keepalived", await three.each((name) => three.toKeepalived(name)), restarts),
  ]);
}

async function withThree<T>(run: (three: Three) => Promise<T>): Promise<T> {
  const three = new Three();
  try {
    await three.start();
    return await run(three);
  } finally {
    await three.close();
  }
}

function row(what: string, gaps: Gaps, alone: Gaps): Row {
  const list = (all: Gaps): string => [...all].map(([name, ms]) => `${name} ${ms.toFixed(0)} ms`).join(", ");
  return {
    what: `migration, ${what}: client's longest gap on each node`,
    value: list(gaps),
    against: `keepalived alone ${list(alone)}; bar ${SLACK_MS} ms more`,
    met: [...gaps].every(([name, ms]) => ms <= (alone.get(name) ?? 0) + SLACK_MS),
  };
}

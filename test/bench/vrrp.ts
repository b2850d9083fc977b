// VRRP without a store: what 255 virtual routers cost, and how fast and how singly a VIP moves between vipd and keepalived.

import { bootTimeMs } from "../../adapters/linux/native.ts";
import { type DaemonProcess, Fleet, VIP } from "../hosts/harness/fleet.ts";
import { Lan, type Station } from "../hosts/harness/lan.ts";
import { newcomers, Recorder } from "../hosts/harness/recorder.ts";
import { type Dialect, Keepalived } from "../interop/parties.ts";
import { cpuPercent } from "./idle.ts";
import { KeepalivedPair } from "./keepalived.ts";
import { pause } from "./stage.ts";
import { median, type Row, spread } from "./table.ts";

const ROUTERS = 255;
const CPU_BAR = 5;
const FREEZES = 20;
const MOVES = 5;
const INTERVAL_MS = 1_000;
const TAKEOVER_SLACK_MS = 50;
const BETWEEN_BAR_MS = 50;

/** Of a fleet without keepalived, on multicast, and of two nodes with each other as the only peer. */
type Pairing = "farewellWait" | "unicast";

const block = (name: string, address: string, id: number, priority: number, more = ""): string =>
  `  ${name}:\n    interface: eth0\n    addresses: [${address}]\n    priority: ${priority}\n    preempt: false\n` +
  `    election: vrrp\n    vrrp: { id: ${id}, version: 2, interval: ${INTERVAL_MS}ms${more} }\n`;

/** One host that is master of 255 virtual routers at 1 s, and nothing happens. */
export async function routers(): Promise<readonly Row[]> {
  const lan = new Lan(["a"]);
  const fleet = new Fleet(lan, "dist/bin");
  const peer = new KeepalivedPair();
  try {
    await peer.startMany(ROUTERS);
    peer.recorder.close();
    const [host] = lan.hosts;
    if (host === undefined) throw new Error("no host");
    const vips = Array.from({ length: ROUTERS }, (_, i) => block(`v${i}`, `10.79.0.${i}/32`, i + 1, 100)).join("");
    const daemon = fleet.start(host, { store: null, vips, logLevel: "info" });
    const isMaster = ({ elections }: { elections: readonly { role: string | null }[] }): boolean =>
      elections.filter(({ role }) => role === "holder").length === ROUTERS;
    await daemon.until(`is master of ${ROUTERS}`, isMaster, 30_000);
    await pause(8_000);
    const [own, theirs] = await Promise.all([cpuPercent([daemon.pid]), cpuPercent(peer.pids("a"))]);
    return [
      {
        what: `master of ${ROUTERS} virtual routers at 1 s: processor`,
        value: `${own.toFixed(2)} % of a core`,
        against: `bar ${CPU_BAR} %; keepalived ${theirs.toFixed(2)} %`,
        met: own < CPU_BAR,
      },
    ];
  } finally {
    await peer.close();
    await fleet.close();
    lan.close();
  }
}

/** vipd on a and b, keepalived on c. */
class Mixed {
  readonly lan = new Lan(["a", "b", "c"]);
  readonly fleet = new Fleet(this.lan, "dist/bin");
  readonly recorder = new Recorder(this.lan, [VIP]);
  readonly peer: Keepalived;
  private readonly closers: (() => void)[] = [];

  constructor() {
    const dialect: Dialect = {
      version: 2,
      intervalMs: INTERVAL_MS,
      unicast: false,
      vip: VIP,
      own: "",
      theirs: this.host("c").ip,
    };
    const place = { peer: this.host("c").namespace, onClose: (closer: () => void) => void this.closers.push(closer) };
    this.peer = new Keepalived(place, dialect);
  }

  host(name: string): Station {
    const host = this.lan.hosts.find((other) => other.name === name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  vipd(name: string, priority: number, more = ""): DaemonProcess {
    const vips = block("web", `${VIP}/24`, 51, priority, more);
    return this.fleet.start(this.host(name), { store: null, vips, logLevel: "info" });
  }

  /** When the host has answered. */
  async answered(name: string, from: number): Promise<number> {
    return (await this.recorder.answered(VIP, (host) => host === name, from, 20_000)).at;
  }

  async close(): Promise<void> {
    for (const close of this.closers) close();
    this.recorder.close();
    await this.fleet.close();
    this.lan.close();
  }
}

/** The client's gaps: keepalived dies and vipd takes over; vipd stops and another vipd takes over; vipd is frozen beside keepalived. */
export async function adverts(): Promise<readonly Row[]> {
  const mixed = new Mixed();
  try {
    const gaps = await deaths(mixed);
    const { longest, twice } = await freezes(mixed);
    const farewells = await ends(mixed);
    const skewMs = ((256 - 100) / 256) * 1_000;
    const waiting = await stops(mixed, "farewellWait");
    const pair = await stops(mixed, "unicast");
    const barMs = 3 * INTERVAL_MS + skewMs + TAKEOVER_SLACK_MS;
    return [
      {
        what: "keepalived killed as master (1 s), vipd of priority 100 takes over: client's gap",
        value: spread(gaps),
        against: `bar ${barMs.toFixed(0)} ms`,
        met: median(gaps) <= barMs,
      },
      {
        what: "vipd frozen as master beside keepalived: two answered together",
        value: `${twice.filter((ms) => ms > 0).length} of ${twice.length}, worst ${Math.max(...twice).toFixed(1)} ms`,
        against: `bar 0; client's gap ${spread(longest)}`,
        met: twice.every((ms) => ms === 0),
      },
      {
        what: "vipd stopped as master, keepalived of priority 100 takes over: client's gap",
        value: spread(farewells),
        against: `bar its skew, ${(skewMs + TAKEOVER_SLACK_MS).toFixed(0)} ms`,
        met: median(farewells) <= skewMs + TAKEOVER_SLACK_MS,
      },
      stopRow("unicast, no option", pair),
      stopRow("multicast, farewellWait 40 ms", waiting),
    ];
  } finally {
    await mixed.close();
  }
}

function stopRow(how: string, gaps: readonly number[]): Row {
  return {
    what: `vipd stopped as master, another vipd takes over, ${how}: client's gap`,
    value: spread(gaps),
    against: `bar ${BETWEEN_BAR_MS} ms`,
    met: median(gaps) <= BETWEEN_BAR_MS,
  };
}

async function deaths(mixed: Mixed): Promise<readonly number[]> {
  const gaps: number[] = [];
  const { recorder, peer } = mixed;
  const daemon = mixed.vipd("a", 100);
  for (let i = 0; i < MOVES; i += 1) {
    peer.start(150);
    await mixed.answered("c", bootTimeMs());
    await pause(3 * INTERVAL_MS + Math.random() * INTERVAL_MS);
    const from = bootTimeMs();
    await peer.crash();
    await mixed.answered("a", from);
    await pause(300);
    gaps.push(recorder.gapMs(VIP, from));
  }
  await daemon.kill();
  return gaps;
}

async function freezes(mixed: Mixed): Promise<{ longest: readonly number[]; twice: readonly number[] }> {
  const [longest, twice]: [number[], number[]] = [[], []];
  const { recorder, peer } = mixed;
  const daemon = mixed.vipd("a", 200);
  for (let i = 0; i < FREEZES; i += 1) {
    await daemon.holds("web", 20_000);
    peer.start(100);
    await pause(3 * INTERVAL_MS + Math.random() * INTERVAL_MS);
    const from = bootTimeMs();
    daemon.signal("SIGSTOP");
    await mixed.answered("c", from);
    await pause(500);
    daemon.signal("SIGCONT");
    await pause(1_500);
    longest.push(recorder.gapMs(VIP, from));
    twice.push(recorder.overlapMs(VIP, newcomers("a", recorder.hands(VIP, from)), from));
    await peer.stop();
  }
  await daemon.kill();
  return { longest, twice };
}

/** keepalived follows vipd's farewell. */
async function ends(mixed: Mixed): Promise<readonly number[]> {
  const gaps: number[] = [];
  const { recorder, peer } = mixed;
  for (let i = 0; i < MOVES; i += 1) {
    const daemon = mixed.vipd("a", 200);
    await daemon.holds("web", 20_000);
    peer.start(100);
    await pause(4 * INTERVAL_MS);
    const from = bootTimeMs();
    daemon.signal("SIGTERM");
    await mixed.answered("c", from);
    await pause(300);
    gaps.push(recorder.gapMs(VIP, from));
    await daemon.ended;
    await peer.stop();
  }
  return gaps;
}

async function stops(mixed: Mixed, pairing: Pairing): Promise<readonly number[]> {
  const gaps: number[] = [];
  const { recorder } = mixed;
  const start = (name: string, other: string): DaemonProcess => {
    const more = pairing === "unicast" ? `, unicastPeers: [${mixed.host(other).ip}]` : ", farewellWait: 40ms";
    return mixed.vipd(name, 200, more);
  };
  const first = start("a", "b");
  // What the daemon before has left may answer for a while.
  await first.holds("web", 20_000);
  const daemons = new Map([["a", first]]);
  let [master, backup] = ["a", "b"];
  for (let i = 0; i < MOVES; i += 1) {
    daemons.set(backup, start(backup, master));
    await daemons.get(backup)?.backs("web", 15_000);
    const from = bootTimeMs();
    daemons.get(master)?.signal("SIGTERM");
    await mixed.answered(backup, from);
    await pause(300);
    gaps.push(recorder.gapMs(VIP, from));
    [master, backup] = [backup, master];
  }
  await Promise.all([...daemons.values()].map((daemon) => daemon.kill()));
  return gaps;
}

// The main job, shown live: three hosts, one VIP, one holder; whatever becomes of the holder, never two.
//
//   npm run demo            shows it and ends by itself
//   npm run demo -- --keep  then leaves the fleet running, to play with

import process from "node:process";
import { createInterface } from "node:readline";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { type DaemonProcess, Fleet, VIP } from "../hosts/harness/fleet.ts";
import { Lan } from "../hosts/harness/lan.ts";
import { Recorder } from "../hosts/harness/recorder.ts";
import { hints, holderOf } from "./hints.ts";
import { Screen } from "./screen.ts";
import { enterSurroundings } from "./surroundings.ts";

const HOSTS = ["alpha", "beta", "gamma"] as const;
const PATIENCE_MS = 8_000;

/** After a change, the client is watched this much longer, in milliseconds. */
const AFTERMATH_MS = 400;

/** What befalls the holder, and how it is put right again. */
interface Trouble {
  readonly title: string;
  readonly strike: (holder: DaemonProcess) => void | Promise<void>;
  readonly fix: (demo: Demo, holder: DaemonProcess) => void;
}

const TROUBLES: readonly Trouble[] = [
  {
    title: "hand over: vipctl step-down",
    strike: async (holder) => void (await holder.admin.stepDown({ election: "web", to: null }, { timeoutMs: 2_000 })),
    fix: () => {},
  },
  {
    title: "kill -9 the holder's daemon: nobody is left to remove its address",
    strike: (holder) => holder.kill(),
    fix: (demo, holder) => demo.restart(holder),
  },
  {
    title: "freeze the holder's daemon (SIGSTOP), and thaw it when another holds",
    strike: (holder) => holder.signal("SIGSTOP"),
    fix: (_, holder) => holder.signal("SIGCONT"),
  },
  {
    title: "pull the holder's network cable, and put it back",
    strike: (holder) => holder.host.pullCable(),
    fix: (_, holder) => holder.host.plugCable(),
  },
  {
    title: "stop the holder's daemon as systemctl does (SIGTERM)",
    strike: (holder) => holder.signal("SIGTERM"),
    fix: (demo, holder) => demo.restart(holder),
  },
];

/** The fleet on the stage. */
class Demo {
  readonly lan = new Lan(HOSTS);
  readonly fleet = new Fleet(this.lan);
  readonly recorder = new Recorder(this.lan, [VIP]);
  readonly screen = new Screen(this.recorder, HOSTS, VIP);
  readonly daemons = new Map<string, DaemonProcess>();

  async start(): Promise<void> {
    for (const host of this.lan.hosts) this.daemons.set(host.name, this.fleet.start(host, { vips: VIPS }));
    await this.recorder.answered(VIP, () => true, 0, PATIENCE_MS);
    await this.quiet();
  }

  restart({ host }: DaemonProcess): void {
    this.daemons.set(host.name, this.fleet.restart(host));
  }

  holder(): Promise<DaemonProcess> {
    return holderOf(this.daemons.values());
  }

  /** Waits until every node is a holder or a candidate. */
  async quiet(): Promise<void> {
    for (const daemon of this.daemons.values())
      await daemon.until(
        "has its part",
        (status) =>
          status.session.state === "live" &&
          status.elections[0]?.holderAlive === true &&
          status.elections[0].eligible === true,
        PATIENCE_MS,
      );
  }

  async table(): Promise<void> {
    const result = await this.fleet.vipctl(this.lan.hosts[0] ?? this.lan.client, [
      "status",
      "--store",
      this.fleet.store,
      "--fleet",
      "test",
    ]);
    for (const line of result.stdout.trimEnd().split("\n")) this.screen.line(`     ${line}`);
    if (result.code !== 0) throw new Error(`vipctl status failed: ${result.stderr}`);
  }

  /** Strikes the holder; true when another one took over and the wire never showed two. */
  async endure(trouble: Trouble, number: number): Promise<boolean> {
    const { screen, recorder } = this;
    const holder = await this.holder();
    const old = holder.host.name;
    screen.line(`\n  ${screen.bold(`${number}  ${trouble.title}`)}`);
    const from = bootTimeMs();
    screen.follow(from, bootTimeMs);
    await trouble.strike(holder);
    const { host: successor } = await recorder.answered(VIP, (name) => name !== old, from, PATIENCE_MS);
    await pause(AFTERMATH_MS);
    trouble.fix(this, holder);
    await this.quiet();
    const to = bootTimeMs();
    screen.settle(from, to);
    const gapMs = Math.round(recorder.gapMs(VIP, from, to));
    const overlapMs = recorder.overlapMs(VIP, [old, successor], from);
    const single = overlapMs === 0 && recorder.hands(VIP, from).at(-1) === successor;
    const verdict = single ? screen.good("ok") : screen.bad("FAILED");
    screen.line(
      `     ${screen.host(old)} -> ${screen.host(successor)}   client's gap ${gapMs} ms   two answered at once for ${overlapMs.toFixed(0)} ms   ${verdict}`,
    );
    return single;
  }

  async close(): Promise<void> {
    this.recorder.close();
    await this.fleet.close();
    this.lan.close();
  }
}

const VIPS = `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    preempt: false\n`;

async function play(demo: Demo): Promise<boolean> {
  const { screen } = demo;
  screen.line(`\n  ${screen.bold("vipd")}: ${HOSTS.length} hosts, one virtual address, one holder`);
  screen.line(`  a client pings ${VIP} every 2 ms; each letter below says who answered in 50 ms, a dot: nobody\n`);
  await demo.table();
  let good = true;
  for (const [i, trouble] of TROUBLES.entries()) good = (await demo.endure(trouble, i + 1)) && good;
  screen.line();
  await demo.table();
  screen.line(
    good
      ? `\n  ${screen.good("Every step moved the address, and at no instant did two hosts answer.")}`
      : `\n  ${screen.bad("A step did not show what it must.")}`,
  );
  return good;
}

/** Lets people strike the fleet themselves until they have had enough. */
async function keep(demo: Demo, signal: AbortSignal): Promise<void> {
  const { screen } = demo;
  screen.line(`\n  The fleet runs on. Files: ${demo.fleet.directory}`);
  screen.line(
    "  Type: status | kill H | start H | freeze H | thaw H | unplug H | plug H | hand-over | quit   (H: alpha, beta or gamma)",
  );
  for (const line of await hints(demo.fleet, demo.daemons.values())) screen.line(`  ${line}`);
  screen.line();
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: "vipd> ", signal });
  lines.prompt();
  for await (const line of lines) {
    const [command = "", name = ""] = line.trim().split(/\s+/u);
    if (command === "quit") break;
    await obey(demo, command, name).catch((error: unknown) => screen.line(String(error)));
    lines.prompt();
  }
  lines.close();
}

async function obey(demo: Demo, command: string, name: string): Promise<void> {
  const daemon = demo.daemons.get(name);
  if (command === "status") return demo.table();
  if (command === "hand-over")
    return void (await (await demo.holder()).admin.stepDown({ election: "web", to: null }, { timeoutMs: 2_000 }));
  if (command === "") return;
  if (daemon === undefined) return demo.screen.line("no such command or host");
  if (command === "kill") return daemon.kill();
  if (command === "start") return daemon.running ? undefined : demo.restart(daemon);
  if (command === "freeze") return daemon.signal("SIGSTOP");
  if (command === "thaw") return daemon.signal("SIGCONT");
  if (command === "unplug") return daemon.host.pullCable();
  if (command === "plug") return daemon.host.plugCable();
  demo.screen.line("no such command");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function main(): Promise<number> {
  const elsewhere = await enterSurroundings();
  if (elsewhere !== undefined) return elsewhere;
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupted.abort());
  const demo = new Demo();
  const whenInterrupted = new Promise<false>((resolve) =>
    interrupted.signal.addEventListener("abort", () => resolve(false), { once: true }),
  );
  try {
    const show = demo.start().then(() => play(demo));
    const good = await Promise.race([show, whenInterrupted]);
    if (process.argv.includes("--keep") && !interrupted.signal.aborted) await keep(demo, interrupted.signal);
    return good ? 0 : 1;
  } finally {
    await demo.close();
  }
}

process.exit(await main());

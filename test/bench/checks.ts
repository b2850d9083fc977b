// What checks cost, and how soon the client is served elsewhere when one fails; keepalived with the same script beside it.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { type DaemonProcess, VIP } from "../hosts/harness/fleet.ts";
import type { Recorder } from "../hosts/harness/recorder.ts";
import { bootOffsetMs } from "../hosts/harness/stamp.ts";
import { cpuPercent, rssMb } from "./idle.ts";
import { KeepalivedPair } from "./keepalived.ts";
import { pause, Stage } from "./stage.ts";
import { median, type Row, spread } from "./table.ts";

/** What a move may take beyond the check's own time, in milliseconds. */
const FAILING_BAR_MS = 30;
/** A node that falls sick again and again is held back longer each time: so a fleet lives for two failures of each. */
const FLEETS = 5;
const FAILURES_EACH = 4;
const PEER_FAILURES = 5;

/** A check script for each host: it fails while a file with the host's name is there, and says when it did. */
class Sickness {
  readonly directory = mkdtempSync(join(tmpdir(), "vdc-"));

  scriptOf(host: string): string {
    const file = join(this.directory, `check-${host}`);
    const text = `#!/bin/sh\n[ -e ${this.directory}/sick-${host} ] || exit 0\ndate +%s.%N >> ${this.directory}/seen-${host}\nexit 1\n`;
    writeFileSync(file, text, { mode: 0o755 });
    return file;
  }

  begin(host: string): void {
    rmSync(join(this.directory, `seen-${host}`), { force: true });
    writeFileSync(join(this.directory, `sick-${host}`), "");
  }

  end(host: string): void {
    rmSync(join(this.directory, `sick-${host}`), { force: true });
  }

  /** When the script failed first since the sickness began, CLOCK_BOOTTIME in milliseconds. */
  seenAt(host: string): number {
    const [first = ""] = readFileSync(join(this.directory, `seen-${host}`), "utf8").split("\n");
    return Number(first) * 1_000 + bootOffsetMs();
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** From the moment at which the script says that it fails to the client's first answer by another host, in milliseconds. */
async function moveOf(sickness: Sickness, recorder: Recorder, holder: string): Promise<number> {
  const from = bootTimeMs();
  sickness.begin(holder);
  await recorder.answered(VIP, (host) => host !== holder, from, 15_000);
  const first = recorder.answers.find(({ at, host, ip, kind }) => {
    return ip === VIP && kind === "echo" && at >= from && host !== holder;
  });
  if (first === undefined) throw new Error("the answer that was heard is gone");
  const took = first.at - sickness.seenAt(holder);
  sickness.end(holder);
  recorder.forget();
  return took;
}

async function ownFailures(): Promise<readonly number[]> {
  const sickness = new Sickness();
  const stage = new Stage(["a", "b"]);
  try {
    await stage.start((host) => ({
      ttl: "1s",
      vips: `  web: { interface: eth0, addresses: [${VIP}/24], preempt: false, checks: [web] }\n`,
      extra: `checks:\n  web: { script: [${sickness.scriptOf(host.name)}], interval: 1s, fall: 1, rise: 1 }\n`,
      logLevel: "info",
    }));
    const took: number[] = [];
    for (let i = 0; i < FAILURES_EACH; i += 1) {
      await stage.quiet();
      took.push(await moveOf(sickness, stage.recorder, (await stage.holder()).host.name));
    }
    return took;
  } finally {
    await stage.close();
    sickness.close();
  }
}

async function peerFailures(): Promise<readonly number[]> {
  const sickness = new Sickness();
  const pair = new KeepalivedPair();
  try {
    await pair.start((host) => sickness.scriptOf(host.name));
    const took: number[] = [];
    for (let i = 0; i < PEER_FAILURES; i += 1) {
      const master = pair.recorder.hands(VIP).at(-1) ?? "a";
      took.push(await moveOf(sickness, pair.recorder, master));
      await pause(5_000);
    }
    return took;
  } finally {
    await pair.close();
    sickness.close();
  }
}

/** A check that fails where the VIP is, twenty times, and keepalived's in the same run. */
export async function failing(): Promise<readonly Row[]> {
  const own: number[] = [];
  for (let i = 0; i < FLEETS; i += 1) own.push(...(await ownFailures()));
  const peer = await peerFailures();
  return [
    {
      what: "a check fails: from its exit to the other host's first answer",
      value: spread(own),
      against: `bar ${FAILING_BAR_MS} ms at the median; keepalived ${spread(peer)}: ${(median(peer) / median(own)).toFixed(0)} times as long`,
      met: median(own) <= FAILING_BAR_MS,
    },
  ];
}

const MANY = 100;
const COST_BAR = 3;

/** What a hundred checks a second may look at; beside those that start programs, a bare Node.js does. */
const LOOKS = [
  { what: "a file", look: "file: /etc/hostname", starts: false },
  { what: "a connection to a port of this host", look: "tcp: '127.0.0.1:80'", starts: false },
  { what: "a script (/bin/true)", look: "script: [/bin/true]", starts: true },
] as const;

/** Starts as many programs as the checks do, and nothing else. */
const STARTER = `const { spawn } = require("node:child_process");
setInterval(() => spawn("/bin/true", { detached: true, stdio: ["ignore", "pipe", "pipe"] }), ${1_000 / MANY});`;

/** What a hundred checks a second cost the daemon itself, the processor time of what they run apart. */
export async function checkCost(): Promise<readonly Row[]> {
  const none = await costOf(null);
  const starting = await costOfStarting();
  const rows: Row[] = [];
  for (const { what, look, starts } of LOOKS) {
    const cost = Math.max(0, (await costOf(look)) - none);
    const peer = starts ? `; a bare Node.js that starts as many, and no more: ${starting.toFixed(2)} %` : "";
    rows.push({
      what: `${MANY} checks a second of ${what}: processor time of the daemon`,
      value: `${cost.toFixed(2)} % of a core beyond the ${none.toFixed(2)} % without`,
      against: `bar ${COST_BAR} %${peer}`,
      met: cost <= COST_BAR,
    });
  }
  return rows;
}

async function costOfStarting(): Promise<number> {
  const bare = spawn(process.execPath, ["-e", STARTER], { stdio: "ignore" });
  const ended = once(bare, "exit");
  try {
    await pause(2_000);
    return await cpuPercent(bare.pid === undefined ? [] : [bare.pid]);
  } finally {
    bare.kill("SIGKILL");
    await ended;
  }
}

async function costOf(look: string | null): Promise<number> {
  const stage = new Stage(["a"]);
  stage.recorder.close();
  try {
    const names = look === null ? [] : Array.from({ length: MANY }, (_, i) => `c${i}`);
    const extra =
      look === null ? "" : `checks:\n${names.map((name) => `  ${name}: { ${look}, interval: 1s }\n`).join("")}`;
    const checks = look === null ? "" : `, checks: [${names.join(", ")}]`;
    const vips = `  web: { interface: eth0, addresses: [${VIP}/24], preempt: false${checks} }\n`;
    const [host] = stage.lan.hosts;
    if (host === undefined) throw new Error("no host");
    const daemon = stage.fleet.start(host, { ttl: "3s", vips, extra, logLevel: "info" });
    await daemon.until("has looked at all", (status) => status.checks.every(({ last }) => last !== null), 30_000);
    await pause(5_000);
    return await cpuPercent([daemon.pid]);
  } finally {
    await stage.close();
  }
}

const NODES = ["a", "b", "c"] as const;
const CHECKS = 50;
const WATCH_MS = 10 * 60_000;
const LOOK_MS = 10_000;
/** A program that has run for a minute has all that it needs. */
const WARM_MS = 60_000;
const GROWTH_BAR = 1.1;

/** What one look at a node shows. */
interface Look {
  readonly rssMb: number;
  readonly zombies: number;
  /** Holder, token and the verdicts of all checks. */
  readonly state: string;
}

/** Fifty scripts a second on each of three nodes, for ten minutes. */
export async function manyChecks(): Promise<readonly Row[]> {
  const stage = new Stage(NODES);
  try {
    const names = Array.from({ length: CHECKS }, (_, i) => `c${i}`);
    const extra = `checks:\n${names.map((name) => `  ${name}: { script: ["/bin/true"], interval: 1s }\n`).join("")}`;
    const vips = `  web: { interface: eth0, addresses: [${VIP}/24], preempt: false, checks: [${names.join(", ")}] }\n`;
    await stage.start({ ttl: "3s", vips, extra, logLevel: "info" });
    await pause(WARM_MS);
    const first = await Promise.all(stage.all().map(lookAt));
    const last = first.map(({ state }) => state);
    let [changes, zombies, most] = [0, 0, 1];
    for (const end = bootTimeMs() + WATCH_MS; bootTimeMs() < end;) {
      await pause(LOOK_MS);
      for (const [i, look] of (await Promise.all(stage.all().map(lookAt))).entries()) {
        if (look.state !== last[i]) changes += 1;
        last[i] = look.state;
        zombies = Math.max(zombies, look.zombies);
        most = Math.max(most, look.rssMb / (first[i]?.rssMb ?? look.rssMb));
      }
    }
    const what = `${CHECKS} checks a second on each of ${NODES.length} nodes for ${WATCH_MS / 60_000} min`;
    return [
      {
        what: `${what}: looks that showed another state than the one before`,
        value: `${changes}`,
        against: "bar 0",
        met: changes === 0,
      },
      {
        what: `${what}: memory against that of the first minute`,
        value: `${most.toFixed(2)} times at most`,
        against: `bar ${GROWTH_BAR}`,
        met: most <= GROWTH_BAR,
      },
      { what: `${what}: zombies that stayed`, value: `${zombies}`, against: "bar 0", met: zombies === 0 },
    ];
  } finally {
    await stage.close();
  }
}

async function lookAt(daemon: DaemonProcess): Promise<Look> {
  const { elections, checks } = await daemon.admin.status({ timeoutMs: 5_000 });
  const held = elections.map(({ name, holder, token }) => `${name} ${holder ?? ""} ${token ?? ""}`);
  const verdicts = checks.map(({ name, verdict }) => `${name} ${verdict}`);
  return { rssMb: rssMb([daemon.pid]), zombies: await zombiesOf(daemon.pid), state: [...held, ...verdicts].join("\n") };
}

/** Dead children that are not taken in within a second. */
async function zombiesOf(pid: number): Promise<number> {
  const dead = (): readonly string[] =>
    spawnSync("ps", ["-o", "pid=,stat=", "--ppid", String(pid)], { encoding: "utf8" })
      .stdout.split("\n")
      .flatMap((line) => /^\s*(\d+)\s+Z/u.exec(line)?.[1] ?? []);
  const before = dead();
  if (before.length === 0) return 0;
  await pause(1_000);
  const after = new Set(dead());
  return before.filter((child) => after.has(child)).length;
}

// Fleets on Redis and etcd: planned moves, quiet weeks at a short lease, and what befalls the leader of an etcd.

import { bootTimeMs } from "../../adapters/linux/native.ts";
import { seededRandom } from "../../src/base/random.ts";
import { VIP } from "../hosts/harness/fleet.ts";
import { newcomers } from "../hosts/harness/recorder.ts";
import { makeEtcd, startEtcd, startRedis } from "../hosts/harness/stores.ts";
import { Disk } from "../servers/disk.ts";
import type { EtcdCluster } from "../servers/etcd.ts";
import { CABLE_BAR_MS, gapRow, overlapRow, PLANNED_BAR_MS, stepsAndStops, times } from "./moves.ts";
import { pause, Stage } from "./stage.ts";
import { type Row, spread } from "./table.ts";

const HOSTS = ["a", "b", "c"];
const FREEZE_BAR_MS = 600;
const STEADY_MS = 10 * 60_000;

/** How often the recorder's memory is emptied in a long run, in milliseconds. */
const LOOK_MS = 10_000;

type StoreName = "redis" | "etcd";

async function stageOn(store: StoreName): Promise<Stage> {
  const stage = new Stage(HOSTS);
  try {
    stage.use(store === "redis" ? await startRedis(stage.lan) : await startEtcd(stage.lan, 3));
    return stage;
  } catch (error) {
    await stage.close();
    throw error;
  }
}

/** Step-downs and graceful stops. */
export async function remote(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const store of ["redis", "etcd"] as const) {
    const stage = await stageOn(store);
    try {
      await stage.start({ ttl: "1s" });
      const { steps, stops } = await stepsAndStops(stage);
      rows.push(gapRow(`${store}: step-down`, steps, PLANNED_BAR_MS));
      rows.push(gapRow(`${store}: graceful stop`, stops, PLANNED_BAR_MS));
      rows.push(overlapRow(`${store}: planned moves`, [...steps, ...stops]));
      // The store is behind the same card: the holder can tell nobody, so that others wait for the end of its lease.
      const cables = await times(10, () =>
        stage.move(
          (holder) => holder.host.pullCable(),
          (holder) => holder.host.plugCable(),
        ),
      );
      rows.push(gapRow(`${store}: cable pulled, ttl 1 s, the store behind it`, cables, CABLE_BAR_MS));
      rows.push(overlapRow(`${store}: cable pulled`, cables));
    } finally {
      await stage.close();
    }
  }
  return rows;
}

/** Ten minutes at a lease of half a second on both stores at once; then frozen holders. */
export async function steady(): Promise<readonly Row[]> {
  const names = ["redis", "etcd"] as const;
  const stages: Stage[] = [];
  try {
    for (const name of names) stages.push(await stageOn(name));
    for (const stage of stages) await stage.start({ ttl: "500ms" });
    const calm = await Promise.all(stages.map((stage) => changesIn(stage, STEADY_MS)));
    const rows: Row[] = [];
    for (const [i, stage] of stages.entries()) {
      const random = seededRandom(20261121);
      const freezes = await times(20, () =>
        stage.move(
          (holder) => holder.signal("SIGSTOP"),
          (holder) => holder.signal("SIGCONT"),
          random.int(0, 200),
        ),
      );
      const name = names[i] ?? "";
      rows.push({
        what: `${name}: changes of holder in ${STEADY_MS / 60_000} min at ttl 500 ms`,
        value: `${calm[i]}`,
        against: "bar 0",
        met: calm[i] === 0,
      });
      rows.push(gapRow(`${name}: SIGSTOP, ttl 500 ms`, freezes, FREEZE_BAR_MS));
      rows.push(overlapRow(`${name}: SIGSTOP, ttl 500 ms`, freezes));
    }
    return rows;
  } finally {
    for (const stage of stages) await stage.close();
  }
}

/** How often another host answered, or the token changed, in so many milliseconds. */
async function changesIn(stage: Stage, forMs: number): Promise<number> {
  const token = async (): Promise<string> => {
    const holder = await stage.holder();
    const status = await holder.admin.status({ timeoutMs: 5_000 });
    return `${holder.host.name} ${status.elections[0]?.token ?? ""}`;
  };
  let changes = 0;
  let last = await token();
  for (const end = bootTimeMs() + forMs; bootTimeMs() < end;) {
    await pause(LOOK_MS);
    const now = await token();
    changes += Math.max(now === last ? 0 : 1, stage.recorder.hands(VIP).length - 1);
    last = now;
    stage.recorder.forget();
  }
  return changes;
}

/** Longer than any election of etcd's at its default timers, in milliseconds. */
const RIDE_MS = 6_000;

/** The client of a VIP that does not move waits no longer than this, in milliseconds. */
const STILL_MS = 500;

/** etcd's leader is killed, at its default timers, under a lease of 3 s. */
export async function leader(): Promise<readonly Row[]> {
  const random = seededRandom(20261122);
  const stage = new Stage(HOSTS);
  try {
    const etcd = await startEtcd(stage.lan, 3);
    stage.use(etcd);
    await stage.start({ ttl: "3s" });
    let stayed = 0;
    let overlapMs = 0;
    for (let i = 0; i < 20; i += 1) {
      const holder = (await stage.holder()).host.name;
      const victim = etcd.leader();
      await pause(random.int(0, 1_000));
      const from = bootTimeMs();
      await etcd.kill([victim]);
      await pause(RIDE_MS);
      const hands = stage.recorder.hands(VIP, from);
      const still = hands.every((host) => host === holder) && stage.recorder.gapMs(VIP, from) < STILL_MS;
      if (still) stayed += 1;
      overlapMs = Math.max(overlapMs, stage.recorder.overlapMs(VIP, newcomers(holder, hands), from));
      etcd.spawn(victim);
      await etcd.ready();
      await stage.quiet();
      stage.recorder.forget();
    }
    return [
      {
        what: "etcd's leader killed, ttl 3 s: the VIP stayed",
        value: `${stayed} of 20`,
        against: "bar 18",
        met: stayed >= 18,
      },
      zero("etcd's leader killed: two answered at once", overlapMs),
    ];
  } finally {
    await stage.close();
  }
}

/** The disk of etcd's leader hangs for a while: an old leader that does not know that it is none any more. */
export async function stale(): Promise<readonly Row[]> {
  const stage = new Stage(HOSTS);
  const disks: Disk[] = [];
  try {
    const etcd = await makeEtcd(stage.lan, 3);
    for (const { directory } of etcd.members) disks.push(new Disk(directory));
    stage.use({ url: etcd.url, close: () => closeWith(etcd, disks) });
    await etcd.startAll();
    await stage.start({ ttl: "1s" });
    const gaps: number[] = [];
    let overlapMs = 0;
    for (let i = 0; i < 5; i += 1) {
      const holder = (await stage.holder()).host.name;
      const disk = disks[etcd.members.indexOf(etcd.leader())];
      const from = bootTimeMs();
      disk?.freeze();
      await pause(RIDE_MS);
      await stage.recorder.answered(VIP, () => true, bootTimeMs(), 20_000);
      disk?.thaw();
      await pause(3_000);
      await stage.quiet();
      overlapMs = Math.max(
        overlapMs,
        stage.recorder.overlapMs(VIP, newcomers(holder, stage.recorder.hands(VIP, from)), from),
      );
      gaps.push(stage.recorder.gapMs(VIP, from));
      stage.recorder.forget();
    }
    return [
      zero("etcd's leader with a hanging disk, ttl 1 s: two answered at once", overlapMs),
      { what: "etcd's leader with a hanging disk: client's gap", value: spread(gaps), against: "", met: null },
    ];
  } finally {
    await stage.close();
  }
}

async function closeWith(etcd: EtcdCluster, disks: readonly Disk[]): Promise<void> {
  // A server that waits for a frozen disk cannot even be killed.
  for (const disk of disks) disk.thaw();
  await etcd.kill();
  for (const disk of disks) disk.close();
  await etcd.close();
}

function zero(what: string, overlapMs: number): Row {
  return { what, value: `${overlapMs.toFixed(1)} ms`, against: "bar 0 ms", met: overlapMs === 0 };
}

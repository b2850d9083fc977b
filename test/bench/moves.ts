// How long the client waits when the VIP moves, and whether two ever answered.

import { bootTimeMs } from "../../adapters/linux/native.ts";
import { seededRandom } from "../../src/base/random.ts";
import { VIP } from "../hosts/harness/fleet.ts";
import { keepalivedGap } from "./keepalived.ts";
import { pause, Stage } from "./stage.ts";
import { median, type Row, spread } from "./table.ts";

/** The gap that a planned move may show, in milliseconds. */
export const PLANNED_BAR_MS = 20;
/** The same, when a cable is pulled: a lease of a second, and a little. */
export const CABLE_BAR_MS = 1_200;

/** What one move showed. */
export type Move = Awaited<ReturnType<Stage["move"]>>;

/** Moves so many times, one after the other. */
export async function times(count: number, once: () => Promise<Move>): Promise<readonly Move[]> {
  const moves: Move[] = [];
  for (let i = 0; i < count; i += 1) moves.push(await once());
  return moves;
}

/** Whether two ever answered. */
export function overlapRow(what: string, moves: readonly Move[]): Row {
  const worst = Math.max(...moves.map((move) => move.overlapMs));
  return {
    what: `${what}: two answered at once`,
    value: `${worst.toFixed(1)} ms at worst, n = ${moves.length}`,
    against: "bar 0 ms",
    met: worst === 0,
  };
}

/** How long the client waited. */
export function gapRow(what: string, moves: readonly Move[], barMs: number | null, peer = ""): Row {
  const gaps = moves.map((move) => move.gapMs);
  return {
    what: `${what}: client's gap`,
    value: spread(gaps),
    against: `${barMs === null ? "" : `bar ${barMs} ms at the median`}${peer}`,
    met: barMs === null ? null : median(gaps) <= barMs,
  };
}

/** Twenty step-downs, and twenty graceful stops. */
export async function stepsAndStops(
  stage: Stage,
): Promise<{ readonly steps: readonly Move[]; readonly stops: readonly Move[] }> {
  const steps = await times(20, () =>
    stage.move(
      (holder) => holder.admin.stepDown({ election: "web", to: null }, { timeoutMs: 2_000 }),
      () => {},
    ),
  );
  const stops = await times(20, () =>
    stage.move(
      (holder) => holder.signal("SIGTERM"),
      (holder) => stage.restart(holder),
    ),
  );
  return { steps, stops };
}

/** Planned moves, and a peer that stops in the same run. */
export async function planned(): Promise<readonly Row[]> {
  const stage = new Stage(["a", "b", "c"]);
  try {
    await stage.start({ ttl: "1s" });
    const { steps, stops } = await stepsAndStops(stage);
    const cables = await times(20, () =>
      stage.move(
        (holder) => holder.host.pullCable(),
        (holder) => holder.host.plugCable(),
      ),
    );
    const peer = await keepalivedGap(5, "SIGTERM");
    const ratio = `; keepalived's stop ${median(peer).toFixed(0)} ms: ${(median(peer) / median(stops.map((m) => m.gapMs))).toFixed(0)} times as long`;
    return [
      gapRow("step-down", steps, PLANNED_BAR_MS),
      gapRow("graceful stop", stops, PLANNED_BAR_MS, ratio),
      gapRow("cable pulled, ttl 1 s", cables, CABLE_BAR_MS),
      ...[steps, stops, cables].map((moves, i) => overlapRow(["step-down", "graceful stop", "cable"][i] ?? "", moves)),
    ];
  } finally {
    await stage.close();
  }
}

/** Killed and frozen holders, at random moments of their heartbeat. */
export async function violent(): Promise<readonly Row[]> {
  const random = seededRandom(20261121);
  const stage = new Stage(["a", "b", "c"]);
  try {
    await stage.start({ ttl: "1s" });
    const anyMoment = (): number => random.int(0, 400);
    const kills = await times(20, () =>
      stage.move(
        (holder) => holder.kill(),
        (holder) => stage.restart(holder),
        anyMoment(),
      ),
    );
    const freezes = await times(50, () =>
      stage.move(
        (holder) => holder.signal("SIGSTOP"),
        (holder) => holder.signal("SIGCONT"),
        anyMoment(),
      ),
    );
    return [
      overlapRow("SIGKILL without restart", kills),
      overlapRow("SIGSTOP at random moments", freezes),
      gapRow("SIGKILL without restart, ttl 1 s", kills, null),
      gapRow("SIGSTOP, ttl 1 s", freezes, null),
    ];
  } finally {
    await stage.close();
  }
}

/** Restarts within the lease. */
export async function restarts(): Promise<readonly Row[]> {
  const stage = new Stage(["a", "b", "c"]);
  const gaps: number[] = [];
  let moved = 0;
  try {
    await stage.start({ ttl: "3s" });
    for (let i = 0; i < 20; i += 1) {
      const holder = await stage.holder();
      const name = holder.host.name;
      const from = bootTimeMs();
      await holder.kill();
      stage.restart(holder);
      await stage.quiet();
      await pause(500);
      gaps.push(stage.recorder.gapMs(VIP, from));
      if (stage.recorder.hands(VIP, from).some((host) => host !== name)) moved += 1;
    }
  } finally {
    await stage.close();
  }
  const worst = Math.max(...gaps);
  return [
    {
      what: "SIGKILL and start within the lease: client's gap",
      value: spread(gaps),
      against: "bar 20 ms at worst",
      met: worst < PLANNED_BAR_MS,
    },
    { what: "SIGKILL and start within the lease: moves", value: `${moved} of 20`, against: "bar 0", met: moved === 0 },
  ];
}

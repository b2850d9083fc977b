// What the checks of a simulated host say: well, or sick for a while. Drawn from the seed apart from everything else, so that
// other faults are drawn as they were.

import { seededRandom } from "../../src/base/random.ts";
import { instant } from "../../src/base/time.ts";
import type { VipCheck, VipConfig } from "../../src/config/types.ts";
import type { CheckState } from "../../src/health/check.ts";
import { initialCheck } from "../../src/health/machine.ts";
import type { MakeChecks } from "../../src/node/health.ts";
import type { Scenario } from "./scenario.ts";
import type { Process, TrueTime, World } from "./world.ts";

/** A host that is sick for a while: once in a run at most, so that it is held back for two leases at most. */
export interface Sickness {
  readonly host: string;
  readonly at: TrueTime;
  readonly until: TrueTime;
}

/** The sicknesses of a run, and what sick nodes do in it. */
export interface HealthPlan {
  readonly sicknesses: readonly Sickness[];
  readonly lastResort: VipConfig["lastResort"];
}

const NAME = "service";
const CHECK: VipCheck = { check: NAME, weight: null, reverse: false, numeric: false };
const SALT = 0x51c4;

/** Draws who is sick, and when; everybody is well when the calm begins. */
export function drawHealth({
  seed,
  hosts,
  calmAt,
  ttlMs,
}: Pick<Scenario, "seed" | "hosts" | "calmAt" | "ttlMs">): HealthPlan {
  const random = seededRandom(seed ^ SALT);
  const isSickly = random.chance(0.6);
  const sicknesses = hosts.flatMap(({ name }): readonly Sickness[] => {
    const at = random.next() * calmAt;
    const until = Math.min(calmAt, at + random.next() * 3 * ttlMs);
    return isSickly && random.chance(0.6) ? [{ host: name, at, until }] : [];
  });
  return { sicknesses, lastResort: random.chance(0.7) ? "keep" : "drop" };
}

/** The health of one host, over all its daemons. */
export class SimHealth {
  private readonly world: World;
  private readonly lastResort: VipConfig["lastResort"];
  private isSick = false;
  private tell: () => void = () => {};

  constructor(world: World, lastResort: VipConfig["lastResort"]) {
    this.world = world;
    this.lastResort = lastResort;
  }

  set(isSick: boolean): void {
    this.isSick = isSick;
    this.tell();
  }

  /** The VIPs with the check of this host. */
  checked(vips: readonly VipConfig[]): readonly VipConfig[] {
    return vips.map((vip) => ({ ...vip, checks: [CHECK], lastResort: this.lastResort }));
  }

  /** Makes the checks of a daemon, whose process hears of news between two steps. */
  makeFor(process: Process): MakeChecks {
    return ({ onChange }) => {
      const tell = (): void => {
        this.world.say(process.name, () => (this.isSick ? "falls sick" : "is well again"));
        this.world.at(this.world.now, () => onChange({ check: NAME, what: "verdict", state: this.state() }), process);
      };
      this.tell = tell;
      return { plan: () => {}, states: () => new Map([[NAME, this.state()]]) };
    };
  }

  private state(): CheckState {
    const initial = this.isSick ? "failed" : "ok";
    const at = instant(0);
    const policy = { intervalMs: 1_000, timeoutMs: 1_000, rise: 1, fall: 1, initial, recover: null } as const;
    return { ...initialCheck(policy, { at, firstAt: at, grid: at }), reason: "it is sick" };
  }
}

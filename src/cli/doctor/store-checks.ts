// The store: whether it answers, how fast against the lease, what it promises, and what its records complain of.

import type { FleetView } from "../../admin/views.ts";
import { isVipdError, messageOf, VipdError } from "../../base/errors.ts";
import { elapsedMs } from "../../base/time.ts";
import type { Config } from "../../config/types.ts";
import type { StoreReader, VipctlDeps } from "../deps.ts";
import type { StoreFinding } from "../../ports/store.ts";
import { failure, fine, type Finding, warning } from "./finding.ts";

/** How often the store is read, for its slowest answer. */
const READS = 5;

/** A request has a sixth of the lease (src/election/lease.ts); half of that leaves room for bad moments. */
const REQUEST_SHARE = 6;

/** What was found of the store, and the fleet's view where it could be read. */
export interface StoreExamination {
  readonly findings: readonly Finding[];
  readonly view: FleetView | undefined;
}

function whyNone({ vips }: Config): string {
  return vips.length === 0 ? "no VIPs are configured" : "all VIPs are elected by VRRP";
}

/** Reads the fleet a few times. A store that is not used yet is as it should be before the first daemon runs (`daemonRuns`), and only then. */
export async function examineStore(config: Config, daemonRuns: boolean, deps: VipctlDeps): Promise<StoreExamination> {
  const { store, fleet } = config;
  if (store === null) return { findings: [fine("store", `none is needed: ${whyNone(config)}`)], view: undefined };
  let reader: StoreReader | undefined;
  try {
    reader = await deps.openFleet(store, fleet);
    const { view, slowestMs } = await readTimes(reader, deps);
    const findings = (await reader.examine(deps.signal)).map(asFinding);
    return { findings: [latency(slowestMs, config), ...findings, ...promises(view), ...complaints(view)], view };
  } catch (error) {
    if (isVipdError(error, "aborted")) throw error;
    if (!daemonRuns && error instanceof VipdError && error.context["unused"] === true)
      return { findings: [warning("store", messageOf(error), "the first vipd that starts makes it")], view: undefined };
    const fix = isVipdError(error, "store-corrupt")
      ? "the message says how"
      : "look at the store, at the way to it, and at `store` in the configuration";
    return { findings: [failure("store", messageOf(error), fix)], view: undefined };
  } finally {
    await reader?.close();
  }
}

async function readTimes(reader: StoreReader, deps: VipctlDeps): Promise<{ view: FleetView; slowestMs: number }> {
  const { timers, signal } = deps;
  let slowestMs = 0;
  for (let count = 1; ; count += 1) {
    const from = timers.now();
    const view = await reader.read(signal);
    slowestMs = Math.max(slowestMs, elapsedMs(from, timers.now()));
    if (count === READS) return { view, slowestMs };
  }
}

function latency(slowestMs: number, { ttlMs }: Config): Finding {
  const text = `answers within ${slowestMs.toFixed(1)} ms (the slowest of ${READS} reads)`;
  const limitMs = ttlMs / REQUEST_SHARE;
  if (slowestMs <= limitMs / 2) return fine("store", text);
  const fix = `a request has ${limitMs.toFixed(0)} ms at this ttl: raise ttl, or bring the store nearer`;
  return slowestMs <= limitMs ? warning("store", text, fix) : failure("store", text, fix);
}

function asFinding({ text, fix }: StoreFinding): Finding {
  return fix === null ? fine("store", text) : warning("store", text, fix);
}

function promises({ store }: FleetView): readonly Finding[] {
  const { name, tokenDurable, failoverSafe, caveats } = store.guarantees;
  const findings: Finding[] = caveats.map((caveat) => fine("store", `${name}: ${caveat}`));
  if (!tokenDurable)
    findings.push(warning("store", "tokens may fall when its data are lost", "turn its persistence on"));
  if (!failoverSafe)
    findings.push(
      warning(
        "store",
        "a failover inside it may lose what it confirmed",
        "let what stands behind the VIP check tokens",
      ),
    );
  return findings;
}

function complaints(view: FleetView): readonly Finding[] {
  return view.warnings.map((text) => warning("store", text, "bring the configurations of the nodes in line"));
}

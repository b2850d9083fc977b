// What vipctl doctor asks of this host besides its network: its checks, and its services.

import { readFile } from "node:fs/promises";
import { createPerformer } from "../checks/create.ts";
import { messageOf } from "../base/errors.ts";
import type { ServicesReport } from "../cli/deps.ts";
import { parseListeners } from "../cli/doctor/listeners.ts";
import type { CheckPlan } from "../config/check-options.ts";
import { type CheckResult, checkResult } from "../health/result.ts";
import type { Timers } from "../ports/clock.ts";
import type { Link, PacketLink } from "../ports/host.ts";
import type { Logger } from "../ports/logger.ts";
import type { StartProgram } from "../ports/programs.ts";
import { timeLimit } from "../runtime/time-limit.ts";

/** So many checks are run at a time. */
const AT_A_TIME = 8;

const silent = (): void => {};
const LOG: Logger = { debug: silent, info: silent, warn: silent, error: silent };

/** Runs each check once, with its own timeout; by name, what came of it. */
export async function runChecks(
  plans: readonly CheckPlan[],
  timers: Timers,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, CheckResult>> {
  const results = new Map<string, CheckResult>();
  const host = await openHost(plans);
  try {
    const waiting = [...plans];
    const work = async (): Promise<void> => {
      for (let plan = waiting.shift(); plan !== undefined && !signal.aborted; plan = waiting.shift())
        results.set(plan.name, await runOnce(plan, host, timers, signal));
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    return results;
  } finally {
    host.close();
  }
}

/** The parts of the host that some kinds of checks need. */
interface CheckedHost {
  readonly packets: PacketLink;
  readonly links: readonly Link[];
  /** As the daemon starts them. */
  readonly startProgram: StartProgram | undefined;
  close(): void;
}

/** Sockets are opened for the checks that need them alone: these ask for privileges. */
async function openHost(plans: readonly CheckPlan[]): Promise<CheckedHost> {
  const kinds = new Set(plans.map(({ options }) => options.kind));
  const [{ KernelPackets }, { KernelAddresses }, { bootClock }, { programStarter }] = await Promise.all([
    import("../../adapters/linux/packets.ts"),
    import("../../adapters/linux/addresses.ts"),
    import("../../adapters/linux/clock.ts"),
    import("../../adapters/linux/programs.ts"),
  ]);
  let packets: PacketLink | undefined;
  const made = (): PacketLink => (packets ??= new KernelPackets({ clock: bootClock() }));
  return {
    packets: {
      announce: () => false,
      probe: async (address, waitMs, signal) => made().probe(address, waitMs, signal),
      close: () => {},
    },
    links: kinds.has("interface") ? linksOf(new KernelAddresses()) : [],
    startProgram: programStarter(),
    close: () => packets?.close(),
  };
}

function linksOf(table: { links(): readonly Link[]; close(): void }): readonly Link[] {
  try {
    return table.links();
  } finally {
    table.close();
  }
}

async function runOnce(
  { name, options, policy }: CheckPlan,
  { packets, links, startProgram }: CheckedHost,
  timers: Timers,
  signal: AbortSignal,
): Promise<CheckResult> {
  const limit = timeLimit(timers, policy.timeoutMs, `check ${name}`, signal);
  try {
    const linkNews = { links: () => links, follow: () => silent };
    const result = await createPerformer(options, { timers, log: LOG, packets, linkNews, startProgram }).run(
      limit.signal,
    );
    if (!limit.signal.aborted) return result;
    return checkResult("timed-out", `did not end within ${policy.timeoutMs} ms`);
  } catch (error) {
    return checkResult("could-not-run", messageOf(error));
  } finally {
    limit.clear();
  }
}

/** The sockets of this network namespace that wait for others, and whether one may wait on an address that is not bound. */
export async function readServices(): Promise<ServicesReport> {
  const read = (path: string): Promise<string> => readFile(path, "latin1").catch(() => "");
  const tables = (["tcp", "udp"] as const).flatMap((protocol) =>
    [protocol, `${protocol}6`].map(async (name) => parseListeners(await read(`/proc/net/${name}`), protocol)),
  );
  const mayBind = async (version: string): Promise<boolean> =>
    (await read(`/proc/sys/net/${version}/ip_nonlocal_bind`)).trim() === "1";
  const [four, six, ...listeners] = await Promise.all([mayBind("ipv4"), mayBind("ipv6"), ...tables]);
  return { nonlocalBind: { 4: four, 6: six }, listeners: listeners.flat() };
}

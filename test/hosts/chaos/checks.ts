// What must be true of a chaos fleet: on the wire at any time, and of hosts, hooks and history when it is calm.

import { execFileSync } from "node:child_process";
import type { HistoryView, StatusView } from "../../../src/admin/views.ts";
import { bootOffsetMs } from "../harness/stamp.ts";
import type { Run } from "../harness/recorder.ts";
import { type ChaosVip, nameOf, routeOf } from "./configuration.ts";
import { type ChaosHost, IPS, tryIp } from "./faults.ts";

/** The kernel's stamps and the log's differ by less, in milliseconds. */
const STAMPS_MS = 3;

/** A line of a daemon's log. */
interface LogLine {
  readonly at: number;
  readonly message: string;
  readonly vip: string | undefined;
  readonly token: string | undefined;
}

/** The lines of a host's log, by CLOCK_BOOTTIME. */
export function logLines(text: string): readonly LogLine[] {
  const offsetMs = bootOffsetMs();
  return text.split("\n").flatMap((line): readonly LogLine[] => {
    if (!line.startsWith("{")) return [];
    const { time, msg, vip, token } = JSON.parse(line) as Record<string, string | undefined>;
    return [{ at: Date.parse(time ?? "") + offsetMs, message: msg ?? "", vip, token }];
  });
}

/**
 * Whoever speaks in a VIP's name after another one did has gained it since it spoke last itself, or has taken on a
 * configuration that gave an address to a VIP that it holds: by its own log. What is said against that.
 */
export function speakingOutOfTurn(
  what: string,
  runs: readonly Run[],
  logs: ReadonlyMap<string, readonly LogLine[]>,
): readonly string[] {
  const lastOf = new Map<string, number>();
  return runs.flatMap((run, i) => {
    const since = lastOf.get(run.host) ?? 0;
    lastOf.set(run.host, run.last);
    const isReason = ({ at, message }: LogLine): boolean =>
      at > since - STAMPS_MS &&
      at < run.first + STAMPS_MS &&
      /^became the holder|^answers for the VIP|^configuration adopted/u.test(message);
    if (i === 0 || logs.get(run.host)?.some(isReason) === true) return [];
    return [`${run.host} spoke for ${what} at ${run.first} behind ${runs[i - 1]?.host}, and had not gained it`];
  });
}

/** Each gain has a greater token than the one before it; the former holder may go on under its own. */
export function fallingTokens(logs: ReadonlyMap<string, readonly LogLine[]>): readonly string[] {
  const gains = [...logs].flatMap(([host, lines]) =>
    lines.flatMap(({ at, message, vip = "", token }) =>
      message.startsWith("became the holder") && token !== undefined ? [{ host, at, vip, token: BigInt(token) }] : [],
    ),
  );
  const latest = new Map<string, (typeof gains)[number]>();
  return gains
    .toSorted((a, b) => a.at - b.at)
    .flatMap((gain) => {
      const before = latest.get(gain.vip);
      latest.set(gain.vip, gain);
      const isGreater = before === undefined || gain.token > before.token;
      const isSame = gain.token === before?.token && gain.host === before.host;
      return isGreater || isSame ? [] : [`${gain.host} gained ${gain.vip} with ${gain.token}, after ${before.token}`];
    });
}

/** Who holds each VIP, when all agree; else why they do not. */
export function agreement(
  vips: readonly ChaosVip[],
  views: ReadonlyMap<string, StatusView>,
): { readonly holders: ReadonlyMap<string, string> } | { readonly trouble: string } {
  const holders = new Map<string, string>();
  for (const vip of vips) {
    const name = nameOf(vip);
    const parts = [...views].map(([host, { elections }]) => ({ host, part: elections.find((e) => e.name === name) }));
    const holding = parts.filter(({ part }) => part?.role === "holder").map(({ host }) => host);
    const [holder = ""] = holding;
    const believed = parts.map(({ host, part }) => `${host}: ${part?.role}, ${part?.holder} holds it`);
    if (holding.length !== 1 || parts.some(({ part }) => part?.holder !== holder))
      return { trouble: `${name}: ${believed.join("; ")}` };
    holders.set(name, holder);
  }
  return { holders };
}

/** In a history, newest first, each change begins where the one before ended, and the last one ends with the holder. */
export function brokenHistory(
  vip: string,
  history: readonly HistoryView[],
  holder: string | undefined,
): readonly string[] {
  const ends = history[0]?.to === holder ? [] : [`the history of ${vip} ends with ${history[0]?.to}, not ${holder}`];
  const breaks = history.flatMap(({ from, token }, i) => {
    const before = history[i + 1];
    const isNext = before === undefined || (from === before.to && BigInt(token) > BigInt(before.token));
    return isNext ? [] : [`the history of ${vip} goes from ${before.to} (${before.token}) to ${from} (${token})`];
  });
  return [...ends, ...breaks];
}

/** What of VIPs is on a host: addresses, routes, rules, and which devices are up. */
export function presentOn(host: ChaosHost): readonly string[] {
  const addresses = tryIp(host, "-o", "address", "show");
  const devices = [...tryIp(host, "-o", "link").matchAll(/ (vipd\S+?)@\S+ <(\S*?)>/gu)];
  return [
    ...IPS.filter((ip) => addresses.includes(` ${ip}/`)),
    ...[...tryIp(host, "route", "show", "table", "all", "proto", "118").matchAll(/^10\.9\.\d+\.0\/24/gmu)].map(
      ([destination]) => destination,
    ),
    ...[...tryIp(host, "rule").matchAll(/^(10\d\d):/gmu)].map(([, priority = ""]) => `rule ${priority}`),
    ...devices.flatMap(([, name = "", flags = ""]) => (flags.split(",").includes("UP") ? [`${name} up`] : [])),
  ].toSorted();
}

/** The same as it should be on a host that holds these VIPs. */
export function expectedOn(held: readonly ChaosVip[]): readonly string[] {
  return held
    .flatMap((vip) => {
      const { destination, priority } = routeOf(vip);
      const ips = vip.addresses.map((address) => address.split("/")[0] ?? "");
      const families = new Set(ips.map((ip) => (ip.includes(":") ? 6 : 4)));
      const devices = vip.hasMac ? [...families].map((family) => `vipd${family}-${50 + vip.number} up`) : [];
      return [...ips, ...(vip.hasRoute ? [destination, `rule ${priority}`] : []), ...devices];
    })
    .toSorted();
}

/** What a daemon that was stopped in order has left of itself. */
export function leftOn(host: ChaosHost): readonly string[] {
  const { namespace } = host.station;
  const devices = [...tryIp(host, "-o", "link").matchAll(/ (vipd\S+?)@/gu)].map(([, name = ""]) => name);
  const tables = namespace.exec("nft", "list", "tables").split("\n");
  const processes = execFileSync("ip", ["netns", "pids", namespace.name], { encoding: "utf8" }).trim();
  return [...presentOn(host), ...devices, ...tables.filter((table) => table.includes("vipd")), processes].filter(
    Boolean,
  );
}

/** What hooks were told last, by host and VIP; a conflict is no state. */
export function lastTold(notes: string): ReadonlyMap<string, string> {
  const told = notes
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , state]) => state !== "CONFLICT");
  return new Map(told.map(([host = "", vip = "", state = "", token = ""]) => [`${host} ${vip}`, `${state} ${token}`]));
}

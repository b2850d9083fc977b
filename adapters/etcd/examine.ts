// What the members of an etcd say of themselves: version, size, alarms; and what that asks for.

import type { IStatusResponse } from "etcd3";
import type { StoreFinding } from "../../src/ports/store.ts";
import type { EtcdOptions } from "./url.ts";
import { plainWords } from "./words.ts";

/** What one member said. */
export interface MemberWord {
  readonly address: string;
  readonly status: IStatusResponse | undefined;
  /** Why it said nothing. */
  readonly trouble: string | undefined;
}

/** The first versions of each line without stale reads after a crash: 3.4.42, 3.5.28, 3.6.9. */
const FLOORS: readonly (readonly [number, number, number])[] = [
  [3, 4, 42],
  [3, 5, 28],
  [3, 6, 9],
];

/** Half of etcd's default quota, in bytes. */
const LARGE = 1_000_000_000;

/** How far this host's clock may be behind the epoch's base, in milliseconds. */
const CLOCK_MS = 10_000;

/** Whether a version has known bugs that a newer one of its line has not; false for what does not look like a version. */
export function isBelowFloor(version: string): boolean {
  const match = /^(\d+)\.(\d+)\.(\d+)/u.exec(version);
  if (match === null) return false;
  const [major = 0, minor = 0, patch = 0] = match.slice(1).map(Number);
  const floor = FLOORS.find(([m, n]) => m === major && n === minor);
  if (floor !== undefined) return patch < floor[2];
  return major < 3 || (major === 3 && minor < 4);
}

/** Judges what the members said. `baseMs`: the wall clock when the epoch began; `null`: not known. */
export function judgeMembers(
  members: readonly MemberWord[],
  { tls, compact, retentionMs }: EtcdOptions,
  { baseMs, wallMs }: { readonly baseMs: number | null; readonly wallMs: number },
): readonly StoreFinding[] {
  const answered = members.flatMap(({ status }) => status ?? []);
  const local = members.every(({ address }) => /^(?:localhost|127\.|\[::1\])/u.test(address));
  return [
    ...versions(answered),
    ...members.flatMap(({ address, trouble }) =>
      trouble === undefined
        ? []
        : [{ text: `${address} cannot be asked: ${trouble}`, fix: "start it, or look at the way to it" }],
    ),
    ...(members.length === 1 && !local
      ? [{ text: "one endpoint: without it no VIP moves", fix: "name three members in the URL" }]
      : []),
    ...[...new Set(answered.flatMap(({ errors }) => errors))].map((text) => ({
      text: `etcd complains: ${text}`,
      fix: "etcdctl alarm list tells more; after NOSPACE: compact, defragment, etcdctl alarm disarm",
    })),
    history(Math.max(0, ...answered.map(({ dbSize }) => Number(dbSize))), compact, retentionMs),
    ...clock(baseMs, wallMs),
    tls !== null || local
      ? { text: tls === null ? "it is on this host" : "the way to it is encrypted (TLS)", fix: null }
      : { text: "the way to it is not encrypted", fix: "use etcds:// where others can listen" },
  ];
}

/** Asks for a member's word; never throws. */
export async function wordOf(address: string, ask: () => Promise<IStatusResponse>): Promise<MemberWord> {
  try {
    return { address, status: await ask(), trouble: undefined };
  } catch (error) {
    return { address, status: undefined, trouble: plainWords(error) };
  }
}

function versions(answered: readonly IStatusResponse[]): readonly StoreFinding[] {
  return [...new Set(answered.map(({ version }) => version))].map((version) =>
    isBelowFloor(version)
      ? {
          text: `etcd ${version} has bugs that may serve stale reads after a crash`,
          fix: `upgrade to ${FLOORS.map((floor) => floor.join(".")).join(", ")} or newer`,
        }
      : { text: `etcd ${version}`, fix: null },
  );
}

function history(bytes: number, compact: EtcdOptions["compact"], retentionMs: number): StoreFinding {
  const size = `its database has ${(bytes / 1e6).toFixed(1)} MB`;
  const who =
    compact === "auto"
      ? `vipd compacts what is older than ${retentionMs / 60_000} min`
      : "compaction is left to others";
  if (bytes < LARGE) return { text: `${size}; ${who}`, fix: null };
  const fix = `etcd stops taking writes at its quota (2 GB by default): ${compact === "off" ? "take compact=off away, or have etcd compact by itself, and " : ""}run etcdctl defrag`;
  return { text: `${size}; ${who}`, fix };
}

function clock(baseMs: number | null, wallMs: number): readonly StoreFinding[] {
  if (baseMs === null) return [];
  const behindMs = baseMs - wallMs;
  if (behindMs < CLOCK_MS) return [{ text: "this host's clock is not behind the store's epoch", fix: null }];
  const text = `this host's clock is ${(behindMs / 1e3).toFixed(0)} s behind the beginning of the store's epoch`;
  return [{ text, fix: "have a time service set the clocks: tokens after lost data rest on them" }];
}

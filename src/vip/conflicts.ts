// Other stations that answer for a VIP of this host: heard on the wire, or found by a probe. Told when it begins, now and
// then with a count while it lasts, and when it has ended. Whoever it is may use a new hardware address for every packet.

import { elapsedMs, type Instant, later, NEVER } from "../base/time.ts";
import type { Conflict, VipEffect, VipState } from "./state.ts";

/** So many hardware addresses are kept, and so many are told. */
const MAX_KNOWN = 1_000;
const MAX_TOLD = 4;

/** Between two log lines on one VIP while it lasts, in milliseconds. */
const NOTE_EVERY_MS = 60_000;

/** Nobody has answered for so long: then it has ended. While it lasts, the wire is asked this often. In milliseconds. */
const QUIET_MS = 10_000;

/** Between two announcements against other stations (RFC 5227, DEFEND_INTERVAL), in milliseconds. */
const DEFEND_EVERY_MS = 10_000;

/** Others have claimed the VIP: it is told at once, and neighbours are told whose it is. */
export function onHeard(
  state: VipState,
  vip: string,
  stations: readonly string[],
  now: Instant,
  effects: VipEffect[],
): void {
  if (state.holdings.get(vip)?.phase !== "on" || stations.length === 0) return;
  const conflict = noteStations(state, vip, stations, now, effects);
  if (elapsedMs(conflict.defendedAt, now) < DEFEND_EVERY_MS) return;
  state.conflicts.set(vip, { ...conflict, defendedAt: now });
  effects.push({ type: "announce", vips: [vip] });
}

/** A probe has found these. */
export function onProbed(
  state: VipState,
  vip: string,
  stations: readonly string[],
  now: Instant,
  effects: VipEffect[],
): void {
  if (state.holdings.get(vip)?.phase !== "on") return;
  if (stations.length > 0) {
    noteStations(state, vip, stations, now, effects);
    return;
  }
  const conflict = state.conflicts.get(vip);
  if (conflict === undefined) return;
  const quietAt = later(conflict.heardAt, QUIET_MS);
  if (now < quietAt) return state.wakeups.set(`probe ${vip}`, quietAt);
  forgetConflict(state, vip);
  effects.push(
    { type: "conflict", vip, others: null },
    { type: "note", vip, level: "info", text: "nobody else answers for it any more" },
  );
}

/** It is time to ask the wire again; and once more later, for this probe may fail. */
export function probeAgain(state: VipState, vips: readonly string[], now: Instant, effects: VipEffect[]): void {
  const asked = vips.filter((vip) => state.conflicts.has(vip));
  for (const vip of asked) state.wakeups.set(`probe ${vip}`, later(now, QUIET_MS));
  if (asked.length > 0) effects.push({ type: "probe", vips: asked });
}

/** The VIP is not held any more. */
export function forgetConflict(state: VipState, vip: string): void {
  state.conflicts.delete(vip);
  state.wakeups.set(`probe ${vip}`, NEVER);
}

function noteStations(
  state: VipState,
  vip: string,
  stations: readonly string[],
  now: Instant,
  effects: VipEffect[],
): Conflict {
  const known = state.conflicts.get(vip);
  const all = new Set([...(known?.stations ?? []), ...stations].slice(0, MAX_KNOWN));
  const text = textOf(all);
  const isTold = known === undefined || (text !== known.noted.text && elapsedMs(known.noted.at, now) >= NOTE_EVERY_MS);
  if (isTold)
    effects.push(
      { type: "conflict", vip, others: text },
      { type: "note", vip, level: "warning", text: `somebody else answers for it: ${text}` },
    );
  const conflict: Conflict = {
    text,
    stations: all,
    heardAt: now,
    noted: isTold ? { text, at: now } : known.noted,
    defendedAt: known?.defendedAt ?? later(now, -DEFEND_EVERY_MS),
  };
  state.conflicts.set(vip, conflict);
  state.wakeups.set(`probe ${vip}`, later(now, QUIET_MS));
  return conflict;
}

function textOf(stations: ReadonlySet<string>): string {
  const told = [...stations].slice(0, MAX_TOLD).join(", ");
  if (stations.size <= MAX_TOLD) return told;
  return `${told} and ${stations.size < MAX_KNOWN ? "" : "at least "}${stations.size - MAX_TOLD} more`;
}

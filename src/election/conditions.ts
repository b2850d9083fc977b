// Conditions that last, and that people should know: told when they begin and when they end, never over and over.

import { addressCollisions } from "./address-claims.ts";
import { clip } from "../base/text.ts";
import { elapsedMs } from "../base/time.ts";
import { ownSession } from "./session.ts";
import type { Effect, Moment, Outage, State } from "./state.ts";

/** So many names are told in one text, each at most so long, and the whole text too, in UTF-16 code units. */
const MAX_NAMES = 8;
const MAX_NAME = 200;
const MAX_TEXT = 1_000;

interface Condition {
  readonly name: string;
  /** What is to be told while it lasts. */
  readonly text: (state: State, at: Moment) => string | undefined;
  /** What is to be told when it is over. */
  readonly over: string | null;
}

/** Looked at in every step. */
const ALWAYS: readonly Condition[] = [
  {
    name: "duplicate node",
    text: (state) =>
      state.duplicateNodeHeartbeats >= 2
        ? `another daemon uses the node id "${state.self.node}" (on host ${hostOf(state)}): give each node its own`
        : undefined,
    over: "the other daemon with this node id is gone",
  },
];

/** Depend on the list of nodes and elections, and are looked at when that changes. */
const OF_THE_ROSTER: readonly Condition[] = [
  { name: "unreadable", text: (state) => unreadable(state), over: "all records can be read again" },
  { name: "ttl", text: (state) => ttlMismatch(state), over: "all nodes have the same ttl" },
  { name: "overflow", text: (state) => overflow(state), over: null },
  {
    name: "collision",
    text: (state, at) => list(addressCollisions(state.mirror, at.now), "; "),
    over: "no address is configured under two names any more",
  },
];

/** While the store does not answer, people are told so again this often, in milliseconds. */
const OUTAGE_NOTE_MS = 60_000;

/** A store that fails again so soon after it has answered is in the same trouble still, in milliseconds. */
const CALM_MS = 10_000;

/** Then it is told of at once only when it does not answer for so long, in milliseconds. */
const LASTING_MS = 2_000;

/** The conditions that last now, for status. */
export function warnings(state: State): readonly string[] {
  return [...state.conditions.values(), ...(state.outage === null ? [] : [state.outage.lastError])];
}

/**
 * Tells that the store does not answer: once, then with a count now and then, and once more when it answers again. One
 * that answers and fails by turns is summed up.
 */
export function noteOutage(before: Outage | null, state: State, at: Moment): readonly Effect[] {
  const { outage } = state;
  if (outage === null) return before === null ? [] : noteAnswer(before, state, at);
  if (before === null) state.outageTold = false;
  const lasts = elapsedMs(outage.since, at.now) >= LASTING_MS;
  if (!state.outageTold && (lasts || elapsedMs(state.outageEndedAt, at.now) >= CALM_MS)) {
    state.outageTold = true;
    return noteNow(state, at, outage.lastError);
  }
  if (elapsedMs(state.outageNotedAt, at.now) < OUTAGE_NOTE_MS) return [];
  const { failures, lastError, since } = outage;
  if (state.outageTold) {
    const lasting = `the store has failed for ${seconds(elapsedMs(since, at.now))}`;
    return noteNow(state, at, `${lasting} (${count(failures, "failed request")}; the last: ${lastError})`);
  }
  const failed = count(state.untoldFailures + failures, "failed request");
  const span = seconds(elapsedMs(state.outageNotedAt, at.now));
  return noteNow(state, at, `the store answers and fails by turns: ${failed} in ${span} (the last: ${lastError})`);
}

function noteNow(state: State, at: Moment, text: string): readonly Effect[] {
  state.outageNotedAt = at.now;
  state.untoldFailures = 0;
  return [{ type: "note", level: "warning", text }];
}

function noteAnswer(before: Outage, state: State, at: Moment): readonly Effect[] {
  state.outageEndedAt = at.now;
  if (!state.outageTold) {
    state.untoldFailures += before.failures;
    return [];
  }
  state.outageTold = false;
  const text = `the store answers again after ${seconds(elapsedMs(before.since, at.now))} (${count(before.failures, "failed request")})`;
  return [{ type: "note", level: "info", text }];
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** Notes about conditions that have begun or ended. */
export function noteConditions(state: State, at: Moment): readonly Effect[] {
  const notes: Effect[] = [];
  const look = ({ name, text, over }: Condition): void => {
    const [was, is] = [state.conditions.get(name), text(state, at)];
    if (is === was) return;
    if (is === undefined) {
      state.conditions.delete(name);
      if (over !== null) notes.push({ type: "note", level: "info", text: over });
      return;
    }
    state.conditions.set(name, is);
    notes.push({ type: "note", level: "warning", text: is });
  };
  for (const condition of ALWAYS) look(condition);
  if (state.mirror.touched.roster) for (const condition of OF_THE_ROSTER) look(condition);
  return notes;
}

/** A foreign session under this node's name that is renewed belongs to another daemon with the same id. */
export function countDuplicateNode(state: State): void {
  const { mirror, self } = state;
  if (!mirror.touched.heartbeats.has(self.node)) return;
  const own = ownSession(state) !== undefined;
  const foreign = mirror.sessions.get(self.node);
  if (own || foreign?.value == null) state.duplicateNodeHeartbeats = 0;
  else if (!mirror.touched.nodes.has(self.node)) state.duplicateNodeHeartbeats += 1;
}

function hostOf(state: State): string {
  return state.mirror.sessions.get(state.self.node)?.value?.host ?? "unknown";
}

function unreadable({ mirror }: State): string | undefined {
  if (mirror.unreadable.size === 0) return undefined;
  return `${count(mirror.unreadable.size, "record")} in the store cannot be read: ${list([...mirror.unreadable], ", ")}`;
}

/** Nodes whose lease has another length: the fleet should agree on one. */
function ttlMismatch({ mirror, self }: State): string | undefined {
  const other: string[] = [];
  for (const [node, { value }] of mirror.sessions)
    if (value != null && value.ttlMs !== self.ttlMs && node !== self.node) other.push(`${node} (${value.ttlMs} ms)`);
  return other.length === 0 ? undefined : `ttl differs from this node's (${self.ttlMs} ms) on: ${list(other, ", ")}`;
}

function overflow({ mirror }: State): string | undefined {
  if (mirror.overflow.size === 0) return undefined;
  return `the fleet has more ${[...mirror.overflow].join(" and more ")} in the store than vipd tracks: the rest is ignored`;
}

function list(names: readonly string[], separator: string): string | undefined {
  if (names.length === 0) return undefined;
  const more = names.length > MAX_NAMES ? `${separator}and ${names.length - MAX_NAMES} more` : "";
  const told = names.slice(0, MAX_NAMES).map((name) => clip(name, MAX_NAME));
  return clip(told.join(separator), MAX_TEXT) + more;
}

function count(number: number, what: string): string {
  return number === 1 ? `1 ${what}` : `${number} ${what}s`;
}

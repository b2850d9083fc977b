// What people should be told when it begins and when it ends, never over and over.

import type { Effect, State } from "./state.ts";

/** One condition: `text` while it lasts. */
interface Condition {
  readonly text: (state: State) => string | undefined;
  readonly over?: string;
}

const CONDITIONS: readonly Condition[] = [
  { text: (state) => state.storeError ?? undefined, over: "the store answers again" },
  {
    text: (state) =>
      state.duplicateNodeHeartbeats >= 2
        ? `another daemon uses the node id "${state.self.node}" (on host ${hostOf(state)}): give each node its own`
        : undefined,
    over: "the other daemon with this node id is gone",
  },
  {
    text: (state) =>
      state.mirror.unreadable.size > 0
        ? `records that do not parse: ${[...state.mirror.unreadable].slice(0, 5).join(", ")}`
        : undefined,
  },
  { text: (state) => ttlMismatch(state) },
];

/** The matters that last now, for status. */
export function warnings(state: State): readonly string[] {
  return CONDITIONS.flatMap((condition) => condition.text(state) ?? []);
}

/** Notes about matters that began or ended between two states. */
export function notices(before: State, after: State): readonly Effect[] {
  const notes: Effect[] = [];
  for (const { text, over } of CONDITIONS) {
    const [was, is] = [text(before), text(after)];
    if (is !== undefined && is !== was) notes.push({ type: "note", level: "warning", text: is });
    if (is === undefined && was !== undefined && over !== undefined)
      notes.push({ type: "note", level: "info", text: over });
  }
  return notes;
}

function hostOf(state: State): string {
  return state.mirror.sessions.get(state.self.node)?.value?.host ?? "?";
}

/** Nodes whose lease has another length than ours: the fleet must agree on one. */
function ttlMismatch(state: State): string | undefined {
  const odd = [...state.mirror.sessions].filter(
    ([, seen]) => seen.value != null && seen.value.ttlMs !== state.self.ttlMs,
  );
  return odd.length === 0
    ? undefined
    : `ttl differs from ours (${state.self.ttlMs} ms) on: ${odd.map(([node]) => node).join(", ")}`;
}

// Ownership changes between other nodes, told once each, so that the log of any node says who held what and why it moved.
// What this node itself gains and loses is told by its host.

import type { Effect, ObservedOwner, State } from "./state.ts";

/** The news of an election, if it has another holder than before, and neither of them is this node. */
export function observeOwner(state: State, election: string): Effect | undefined {
  const record = state.mirror.elections.get(election);
  const before = state.observed.get(election);
  if (record?.value == null || !state.candidacies.has(election)) {
    state.observed.delete(election);
    return undefined;
  }
  const { version, value } = record;
  if (before?.version === version) return undefined;
  const { holder, sinceWallMs, reason } = value;
  state.observed.set(election, { version, holder, sinceWallMs });
  if (before === undefined || holder === before.holder || isOwn(state, holder, before.holder)) return undefined;
  const text = holder === null ? "nobody holds it now" : `${holder} is the holder (MASTER) now, token ${version}`;
  return { type: "note", level: "info", election, text: `${text}, ${until(before, sinceWallMs)}: ${reason.text}` };
}

/** What the host says itself: a gain, and a loss to nobody. */
function isOwn({ self }: State, holder: string | null, before: string | null): boolean {
  return holder === self.node || (holder === null && before === self.node);
}

/** Wall clocks are for people only: they may disagree between nodes. */
function until({ holder, sinceWallMs }: ObservedOwner, nowWallMs: number): string {
  const seconds = (Math.max(0, nowWallMs - sinceWallMs) / 1_000).toFixed(1);
  return holder === null ? `free for ${seconds} s until then` : `held by ${holder} for ${seconds} s until then`;
}

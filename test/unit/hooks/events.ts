// Events of elections for tests.

import type { HookEvent, HookState } from "../../../src/hooks/event.ts";

/** An event of an election, with everything that a test does not care about. */
export function eventOf(election: string, state: HookState, more: Partial<HookEvent> = {}): HookEvent {
  return {
    election,
    state,
    previous: null,
    token: "42",
    addresses: ["10.0.0.50/24", "2001:db8::50/64"],
    reason: { code: "acquired", text: "the election was free" },
    node: "alpha",
    priority: 150,
    wallMs: 1_800_000_000_000,
    ...more,
  };
}

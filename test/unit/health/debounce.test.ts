import { expect, test } from "vitest";
import { type Instant, instant, later, NEVER } from "../../../src/base/time.ts";
import { debounced, observe, settlesAt } from "../../../src/health/debounce.ts";

const START = instant(1_000);

function at(ms: number): Instant {
  return later(START, ms);
}

test("a change is believed when it has lasted, and a short one never happened", () => {
  let state = debounced("up", START);
  state = observe(state, "down", 500, at(100));
  expect(state.settled).toBe("up");
  expect(settlesAt(state, 500)).toBe(at(600));
  state = observe(state, "up", 500, at(400));
  expect(settlesAt(state, 500)).toBe(NEVER);
  state = observe(state, "down", 500, at(1_000));
  state = observe(state, "down", 500, at(1_499));
  expect(state.settled).toBe("up");
  state = observe(state, "down", 500, at(1_500));
  expect(state.settled).toBe("down");
  expect(settlesAt(state, 500)).toBe(NEVER);
});

test("each further change begins the time anew", () => {
  let state = debounced("a", START);
  for (let step = 0; step < 10; step += 1) state = observe(state, step % 2 === 0 ? "b" : "c", 500, at(step * 400));
  expect(state.settled).toBe("a");
  expect(settlesAt(state, 500)).toBe(at(3_600 + 500));
});

test("without a time a change is believed at once", () => {
  expect(observe(debounced("a", START), "b", 0, START).settled).toBe("b");
});

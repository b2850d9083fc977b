// Tracks one check: when to run it, how many results in a row change its verdict, and the recovery that comes before a
// failure counts. No clock, no I/O.
//
//   pending --first result--> ok or failed
//   ok      --`fall` failures in a row--> recovery (while tries are left) --the look behind it fails--> failed
//   failed  --`rise` successes in a row--> ok
//
// A run that is over its time has failed at that moment, not when it is dead: what cannot be killed delays nothing. While it
// has not ended no other one is started, and each start that is missed so is one more failure.

import { unreachable } from "../base/assert.ts";
import { earliest, elapsedMs, type Instant, later, LONG_AGO, NEVER } from "../base/time.ts";
import type { CheckEffect, CheckEvent, CheckPolicy, CheckState, CheckTimers, Verdict } from "./check.ts";
import { type CheckResult, checkResult } from "./result.ts";
import type { CheckStart } from "./stagger.ts";

/** A deadline that is seen later than this was missed by this process, not by the check; in milliseconds. */
const HELD_UP_MS = 50;

/** How long a result may then still come, in milliseconds: it is on its way through the same process. */
const GRACE_MS = 100;

/** News start runs no closer than this, in milliseconds: a file that is written all the time is read 20 times a second. */
const NEWS_GAP_MS = 50;

type Step = readonly [CheckState, readonly CheckEffect[]];

/** A check that begins now. */
export function initialCheck(policy: CheckPolicy, { at, firstAt, grid }: CheckStart): CheckState {
  return {
    policy,
    verdict: policy.initial,
    since: at,
    reason: "it has not run yet",
    value: null,
    run: { phase: "none" },
    recovery: { phase: "none" },
    successes: 0,
    failures: 0,
    attempts: 0,
    last: null,
    lastRecovery: null,
    runs: 0,
    lastStart: LONG_AGO,
    grid,
    timers: { run: firstAt, deadline: NEVER, recovery: NEVER },
    stopped: false,
  };
}

/** Moves the check by one event. */
export function stepCheck(state: CheckState, event: CheckEvent, at: Instant): Step {
  if (state.stopped) return [state, []];
  switch (event.type) {
    case "tick":
      return ticked(state, at);
    case "ran":
      return ran(state, event.run, event.result, at);
    case "recovered":
      return recovered(state, event.attempt, event.result, at);
    case "nudge":
      return nudged(state, at);
    case "stop":
      return stopped(state);
    default:
      return unreachable(event);
  }
}

/** When a "tick" is wanted at the latest. */
export function nextCheckWakeup({ timers }: CheckState): Instant {
  return earliest(timers.run, timers.deadline, timers.recovery);
}

function ticked(state: CheckState, at: Instant): Step {
  const due = (name: keyof CheckTimers, move: (next: CheckState, at: Instant) => Step) => (next: CheckState) =>
    next.timers[name] <= at ? move(next, at) : still(next);
  return chain(still(state), due("deadline", overdue), due("recovery", recoveryDue), due("run", runDue));
}

function overdue(state: CheckState, at: Instant): Step {
  const { run, timers, policy } = state;
  if (run.phase !== "running") return still(withTimers(state, { deadline: NEVER }));
  if (!run.graced && elapsedMs(timers.deadline, at) > HELD_UP_MS)
    return still({ ...withTimers(state, { deadline: later(at, GRACE_MS) }), run: { ...run, graced: true } });
  const result = checkResult("timed-out", `no result within ${policy.timeoutMs} ms`);
  const ending = { ...withTimers(state, { deadline: NEVER }), run: { phase: "ending", id: run.id } } as const;
  const abandon = { type: "abandon-run", run: run.id, why: "timeout" } as const;
  return chain([ending, [abandon]], (next) => counted(next, result, elapsedMs(run.startedAt, at), at));
}

function runDue(state: CheckState, at: Instant): Step {
  if (state.run.phase === "none") return started(state, at);
  const next = withTimers(state, { run: nextOnGrid(state, at) });
  return state.run.phase === "running" ? still(next) : missed(next, at);
}

/** Also the look behind a recovery: the run before it may be what hangs. */
function missed(state: CheckState, at: Instant): Step {
  return counted(state, checkResult("could-not-run", "the run before was stopped and has not ended yet"), 0, at);
}

function started(state: CheckState, at: Instant): Step {
  const id = state.runs + 1;
  const timers = { ...state.timers, run: nextOnGrid(state, at), deadline: later(at, state.policy.timeoutMs) };
  const run = { phase: "running", id, startedAt: at, graced: false, again: false } as const;
  return [{ ...state, run, runs: id, lastStart: at, timers }, [{ type: "run", run: id }]];
}

/** The next start that is at least half an interval away: the first run stands beside the grid, and so may news. */
function nextOnGrid({ grid, policy }: CheckState, at: Instant): Instant {
  const { intervalMs } = policy;
  return later(grid, (Math.floor((elapsedMs(grid, at) + intervalMs / 2) / intervalMs) + 1) * intervalMs);
}

function ran(state: CheckState, id: number, result: CheckResult, at: Instant): Step {
  const { run } = state;
  if (run.phase === "none" || run.id !== id) return still(state);
  const next: CheckState = { ...state, run: { phase: "none" } };
  if (run.phase === "ending") return still(withLastLine(next, result.lastLine));
  const soon = run.again ? earliest(state.timers.run, later(run.startedAt, NEWS_GAP_MS)) : state.timers.run;
  return counted(withTimers(next, { deadline: NEVER, run: soon }), result, elapsedMs(run.startedAt, at), at);
}

/** What a run printed that was stopped tells where it hung. */
function withLastLine(state: CheckState, lastLine: string): CheckState {
  const { last } = state;
  if (last === null || lastLine === "") return state;
  return { ...state, last: { ...last, result: { ...last.result, lastLine } } };
}

function counted(state: CheckState, result: CheckResult, tookMs: number, at: Instant): Step {
  const next = { ...state, last: { result, at, tookMs } };
  return result.outcome === "ok" ? passed(next, result, at) : failed(next, result, at);
}

function passed(state: CheckState, { reason, value }: CheckResult, at: Instant): Step {
  const successes = state.successes + 1;
  const attempts = successes >= state.policy.rise ? 0 : state.attempts;
  const next: CheckState = { ...state, successes, failures: 0, attempts, value, recovery: { phase: "none" } };
  if (state.verdict === "pending" || (state.verdict === "failed" && successes >= state.policy.rise))
    return judged(next, "ok", reason, at);
  if (state.recovery.phase !== "none") return [next, [{ type: "changed", what: "recovery", reason }]];
  return [next, value === state.value ? [] : [{ type: "changed", what: "value", reason }]];
}

function failed(state: CheckState, { reason }: CheckResult, at: Instant): Step {
  const next = { ...state, failures: state.failures + 1, successes: 0 };
  if (next.verdict === "failed") return still(next);
  const enough = next.verdict === "pending" ? 1 : next.policy.fall;
  if (next.recovery.phase !== "looking" && next.failures < enough) return still(next);
  if (next.attempts < (next.policy.recover?.tries ?? 0)) return recovering(next, reason, at);
  return judged({ ...next, recovery: { phase: "none" } }, "failed", reason, at);
}

function judged(state: CheckState, verdict: Verdict, reason: string, at: Instant): Step {
  return [{ ...state, verdict, since: at, reason }, [{ type: "changed", what: "verdict", reason }]];
}

function recovering(state: CheckState, reason: string, at: Instant): Step {
  const attempt = state.attempts + 1;
  const timers = { run: NEVER, recovery: later(at, state.policy.recover?.timeoutMs ?? 0) };
  return [
    { ...withTimers(state, timers), attempts: attempt, recovery: { phase: "commanded", attempt } },
    [
      { type: "recover", attempt },
      { type: "changed", what: "recovery", reason },
    ],
  ];
}

/** Whether the command went well does not matter: the look behind it decides. */
function recovered(state: CheckState, attempt: number, result: CheckResult, at: Instant): Step {
  const { recovery } = state;
  if (recovery.phase !== "commanded" || recovery.attempt !== attempt) return still(state);
  return still(settling(state, attempt, result, at));
}

function settling(state: CheckState, attempt: number, result: CheckResult, at: Instant): CheckState {
  const { recover } = state.policy;
  const startedAt = later(state.timers.recovery, -(recover?.timeoutMs ?? 0));
  return {
    ...withTimers(state, { recovery: later(at, recover?.waitMs ?? 0) }),
    recovery: { phase: "settling", attempt },
    lastRecovery: { result, at, tookMs: elapsedMs(startedAt, at) },
  };
}

function recoveryDue(state: CheckState, at: Instant): Step {
  const { recovery, policy } = state;
  if (recovery.phase === "commanded") {
    const result = checkResult("timed-out", `not done within ${policy.recover?.timeoutMs ?? 0} ms`);
    const abandon = { type: "abandon-recovery", attempt: recovery.attempt, why: "timeout" } as const;
    return [settling(state, recovery.attempt, result, at), [abandon]];
  }
  const next = withTimers(state, { recovery: NEVER, run: nextOnGrid(state, at) });
  if (recovery.phase !== "settling") return still(next);
  const looking: CheckState = { ...next, recovery: { phase: "looking", attempt: recovery.attempt } };
  return looking.run.phase === "none" ? started(looking, at) : missed(looking, at);
}

function nudged(state: CheckState, at: Instant): Step {
  const { run, recovery, timers, lastStart } = state;
  if (recovery.phase === "commanded" || recovery.phase === "settling" || run.phase === "ending") return still(state);
  if (run.phase === "running") return still({ ...state, run: { ...run, again: true } });
  const next = withTimers(state, { run: earliest(timers.run, later(lastStart, NEWS_GAP_MS)) });
  return next.timers.run <= at ? started(next, at) : still(next);
}

function stopped(state: CheckState): Step {
  const { run, recovery } = state;
  const effects: CheckEffect[] = [];
  if (run.phase === "running") effects.push({ type: "abandon-run", run: run.id, why: "stop" });
  if (recovery.phase === "commanded")
    effects.push({ type: "abandon-recovery", attempt: recovery.attempt, why: "stop" });
  const timers = { run: NEVER, deadline: NEVER, recovery: NEVER };
  return [{ ...state, run: { phase: "none" }, recovery: { phase: "none" }, timers, stopped: true }, effects];
}

function withTimers(state: CheckState, timers: Partial<CheckTimers>): CheckState {
  return { ...state, timers: { ...state.timers, ...timers } };
}

function still(state: CheckState): Step {
  return [state, []];
}

function chain(first: Step, ...moves: readonly ((state: CheckState) => Step)[]): Step {
  return moves.reduce<Step>(([state, effects], move) => {
    const [next, more] = move(state);
    return [next, [...effects, ...more]];
  }, first);
}

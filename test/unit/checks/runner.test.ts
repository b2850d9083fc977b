import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CheckOptions, RecoverOptions } from "../../../src/config/check-options.ts";
import type { Performer } from "../../../src/checks/performer.ts";
import { CheckRunner } from "../../../src/checks/runner.ts";
import type { CheckNews } from "../../../src/checks/task.ts";
import type { CheckPlan } from "../../../src/config/check-options.ts";
import { VipdError } from "../../../src/base/errors.ts";
import type { CheckPolicy } from "../../../src/health/check.ts";
import { type CheckResult, checkResult } from "../../../src/health/result.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";
import { recordingLog } from "./recording-log.ts";

const POLICY: CheckPolicy = { intervalMs: 1_000, timeoutMs: 400, rise: 2, fall: 2, initial: "pending", recover: null };
const OK = checkResult("ok", "fine");
const BAD = checkResult("failed", "sick", { lastLine: "no disk" });

function plan(name: string, policy: Partial<CheckPolicy> = {}, recover: RecoverOptions | null = null): CheckPlan {
  const options: CheckOptions = { kind: "file", path: `/${name}`, wants: "present" };
  return { name, policy: { ...POLICY, ...policy }, options, recover };
}

function scriptPlan(name: string): CheckPlan {
  return { ...plan(name), options: { kind: "script", argv: [name], user: null, graceMs: 100 } };
}

/** A performer that a test speaks for. */
class Actor implements Performer {
  /** What the next runs say, the last one for ever; "hang": until it is stopped; "stuck": never. */
  script: (CheckResult | "hang" | "stuck")[] = [OK];
  runs = 0;
  running = 0;
  readonly reasons: unknown[] = [];
  tell: (() => void) | undefined;
  onRun: () => void = () => {};

  async run(signal: AbortSignal): Promise<CheckResult> {
    this.onRun();
    this.runs += 1;
    this.running += 1;
    try {
      return await this.act(signal);
    } finally {
      this.running -= 1;
    }
  }

  watch(onNews: () => void): () => void {
    this.tell = onNews;
    return () => {
      this.tell = undefined;
    };
  }

  private async act(signal: AbortSignal): Promise<CheckResult> {
    const line = this.script.length > 1 ? this.script.shift() : this.script[0];
    if (line === "stuck") return new Promise(() => {});
    if (line !== "hang") return line ?? OK;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    this.reasons.push(signal.reason);
    return BAD;
  }
}

let timers: VirtualTimers;
let runner: CheckRunner;
let actors: Map<string, Actor>;
let recovery: Actor;
let news: CheckNews[];
let log: ReturnType<typeof recordingLog>;

beforeEach(() => {
  timers = new VirtualTimers();
  actors = new Map();
  recovery = new Actor();
  news = [];
  log = recordingLog();
  runner = new CheckRunner({
    timers,
    log: log.log,
    performer: (options) => {
      if (options.kind === "script") return actor(options.argv[0] ?? "");
      if (options.kind !== "file" || options.path === "/bad") throw new VipdError("config", "bad options");
      return actor(options.path.slice(1));
    },
    recovery: () => recovery,
    onChange: (change) => news.push(change),
  });
});

afterEach(async () => {
  const stopping = runner.stop(1_000);
  await timers.advance(1_000);
  await stopping;
  expect(timers.waiting, "timers that are left").toBe(0);
});

function actor(name: string): Actor {
  const known = actors.get(name) ?? new Actor();
  actors.set(name, known);
  return known;
}

function said(): readonly string[] {
  return news.splice(0).map(({ check, what, state }) => `${check} ${what} ${state.verdict}`);
}

function messages(): readonly string[] {
  return log.lines.splice(0).map(({ level, message }) => `${level}: ${message}`);
}

describe("checks", () => {
  test("run at their interval, and changes are told and logged", async () => {
    actor("web").script = [OK, OK, BAD, BAD, BAD, OK, OK, OK];
    runner.plan([plan("web")]);
    await timers.advance(7_500);
    expect(said()).toEqual(["web verdict ok", "web verdict failed", "web verdict ok"]);
    expect(messages()).toEqual([
      "info: check web is ok: fine",
      "warn: check web has failed: sick",
      "info: check web is ok: fine",
    ]);
    expect(actor("web").runs).toBe(8);
    expect(runner.states().get("web")).toMatchObject({ verdict: "ok", runs: 8 });
  });

  test.each([
    { kind: "that only look share instants, ten of a second", most: 15, instants: 10 },
    { kind: "that run programs have instants of their own", most: 1, instants: 100 },
  ])("of one interval do not run at one instant: those $kind", async ({ most, instants }) => {
    const isScript = most === 1;
    runner.plan(Array.from({ length: 100 }, (_, index) => (isScript ? scriptPlan : plan)(`check${index}`)));
    await timers.advance(2_000);
    const starts = new Map<number, number>();
    for (const each of actors.values())
      each.onRun = () => starts.set(timers.now(), (starts.get(timers.now()) ?? 0) + 1);
    await timers.advance(1_000);
    expect([...starts.values()].reduce((sum, count) => sum + count, 0)).toBe(100);
    expect(starts.size).toBe(instants);
    expect(Math.max(...starts.values())).toBeLessThanOrEqual(most);
  });

  test("that hang are stopped at their timeout, with that as the reason, and fail", async () => {
    actor("web").script = ["hang", OK];
    runner.plan([plan("web", { fall: 1, initial: "ok" })]);
    await timers.advance(401);
    expect(said()).toEqual(["web verdict failed"]);
    expect(actor("web").reasons).toEqual([expect.objectContaining({ code: "timeout" })]);
    await timers.advance(5_000);
    expect(said()).toEqual(["web verdict ok"]);
  });

  test("that cannot be stopped do not start again, go on failing, and are named when the daemon stops", async () => {
    actor("web").script = ["stuck"];
    runner.plan([plan("web", { initial: "ok" })]);
    await timers.advance(10_000);
    expect(actor("web").runs).toBe(1);
    expect(said()).toEqual(["web verdict failed"]);
    const stopping = runner.stop(500);
    await timers.advance(500);
    expect(await stopping).toEqual(["web"]);
  });

  test("whose performer breaks fail with that reason, and are reported", async () => {
    actor("web").run = () => Promise.reject(new Error("a mistake"));
    runner.plan([plan("web")]);
    await timers.advance(100);
    expect(runner.states().get("web")).toMatchObject({ verdict: "failed", reason: "a mistake" });
    expect(messages()[0]).toBe("error: check web broke: please report this");
  });

  test("run at once on news, or when somebody asks", async () => {
    runner.plan([plan("web", { intervalMs: 60_000, fall: 1 })]);
    await timers.advance(1_000);
    actor("web").script = [BAD];
    actor("web").tell?.();
    await timers.advance(0);
    expect(said()).toEqual(["web verdict ok", "web verdict failed"]);
    actor("web").script = [OK];
    runner.nudge("web");
    runner.nudge("unknown");
    await timers.advance(100);
    expect(actor("web").runs).toBe(3);
  });
});

describe("a new plan", () => {
  test("leaves what has not changed alone", async () => {
    runner.plan([plan("web"), plan("db")]);
    await timers.advance(2_500);
    const before = runner.states().get("web");
    runner.plan([plan("web"), plan("mail")]);
    expect(runner.states().get("web")).toBe(before);
    await timers.advance(2_000);
    expect([...runner.states().keys()].toSorted((a, b) => a.localeCompare(b))).toEqual(["mail", "web"]);
    const { runs } = actor("db");
    await timers.advance(5_000);
    expect(actor("db").runs).toBe(runs);
    expect(actor("db").tell).toBeUndefined();
  });

  test("starts what has changed anew, with the verdict that it had: nothing moves by a reload", async () => {
    actor("db").script = [BAD];
    runner.plan([plan("web"), plan("db")]);
    await timers.advance(3_500);
    said();
    const since = runner.states().get("db")?.since;
    runner.plan([plan("web", { intervalMs: 500 }), plan("db", { fall: 3 })]);
    expect(runner.states().get("web")).toMatchObject({ verdict: "ok", runs: 0 });
    expect(runner.states().get("db")).toMatchObject({ verdict: "failed", reason: "sick", since });
    await timers.advance(3_000);
    expect(said()).toEqual([]);
  });

  test("that makes no sense changes nothing", async () => {
    runner.plan([plan("web")]);
    await timers.advance(1_000);
    expect(() => runner.plan([plan("db"), plan("bad")])).toThrow("bad options");
    expect([...runner.states().keys()]).toEqual(["web"]);
    await timers.advance(5_000);
    expect(actor("web").runs).toBeGreaterThan(4);
  });

  test("stops what is under way of a check that goes", async () => {
    actor("web").script = ["hang"];
    runner.plan([plan("web")]);
    await timers.advance(100);
    runner.plan([]);
    await timers.advance(0);
    expect(actor("web").reasons).toEqual([expect.objectContaining({ code: "aborted" })]);
  });
});

describe("a recovery", () => {
  const RECOVER = { tries: 1, waitMs: 300, timeoutMs: 1_000 };
  const nginx: RecoverOptions = { service: "nginx", argv: ["/bin/true"], user: null, graceMs: 100 };

  test("is run, waited for, looked at, and told", async () => {
    actor("web").script = [OK, BAD, BAD, OK];
    runner.plan([plan("web", { recover: RECOVER }, nginx)]);
    await timers.advance(3_500);
    expect(recovery.runs).toBe(1);
    expect(said()).toEqual(["web verdict ok", "web recovery ok", "web recovery ok"]);
    expect(messages()).toEqual([
      "info: check web is ok: fine",
      "warn: check web fails: sick; recovery 1 of 1 begins",
      "info: check web: recovery 1: fine",
      "info: check web is ok again, its recovery has helped: fine",
    ]);
  });

  test("of one service is run once for two checks that fail together", async () => {
    recovery.script = ["hang"];
    const both = ["web", "port"].map((name) => plan(name, { recover: RECOVER, fall: 1, initial: "ok" }, nginx));
    for (const name of ["web", "port"]) actor(name).script = [BAD];
    runner.plan(both);
    await timers.advance(900);
    expect(recovery).toMatchObject({ runs: 1, running: 1 });
    await timers.advance(2_000);
    expect(recovery.running).toBe(0);
    expect(said()).toContain("port verdict failed");
  });

  test("is stopped when the daemon stops, which waits for it", async () => {
    recovery.script = ["hang"];
    actor("web").script = [BAD];
    runner.plan([plan("web", { recover: RECOVER, fall: 1, initial: "ok" }, nginx)]);
    await timers.advance(100);
    expect(recovery.running).toBe(1);
    const stopping = runner.stop(5_000);
    await timers.advance(0);
    expect(await stopping).toEqual([]);
    expect(recovery).toMatchObject({ running: 0, reasons: [expect.objectContaining({ code: "aborted" })] });
    runner.plan([plan("late")]);
    expect(runner.states().size).toBe(0);
  });
});

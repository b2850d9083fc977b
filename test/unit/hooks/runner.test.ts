// Hooks as real processes. Each appends a line to a file: what it was told, and in which order.

import { chmodSync, existsSync, readFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import type { HookState } from "../../../src/hooks/event.ts";
import type { HookOptions } from "../../../src/config/hook-options.ts";
import { HookRunner } from "../../../src/hooks/runner.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { recordingLog } from "../checks/recording-log.ts";
import { eventually } from "../../linux/namespaces.ts";
import { timers, useScripts, zombies } from "../process/scripts.ts";
import { eventOf } from "./events.ts";

const scripts = useScripts();

let runner: HookRunner;
let log: ReturnType<typeof recordingLog>;
beforeEach(() => {
  log = recordingLog();
  runner = new HookRunner({ timers, log: log.log });
});

/** A hook that runs this text; `$OUT` is the file of lines. */
function hook(text: string, more: Partial<HookOptions> = {}): HookOptions {
  const script = scripts().sh(`OUT=${scripts().path("out")}\nexport VIPD_TEST_SCRIPT=${scripts().mark}\n${text}`);
  return { on: "notify", argv: [script], user: null, graceMs: 100, timeoutMs: 5_000, arguments: "vipd", ...more };
}

function plan(hooks: Readonly<Record<string, readonly HookOptions[]>>): void {
  runner.plan(new Map(Object.entries(hooks)));
}

function out(): readonly string[] {
  return existsSync(scripts().path("out")) ? scripts().lines("out") : [];
}

function messages(pattern = /./u): readonly string[] {
  return log.lines.map(({ message }) => message).filter((message) => pattern.test(message));
}

const TELL = 'echo "$VIPD_ELECTION $VIPD_STATE $VIPD_PREVIOUS" >> $OUT';

describe("a hook", () => {
  test("is told everything in its environment", async () => {
    plan({ web: [hook("env | grep ^VIPD_ | sort > $OUT")] });
    runner.post(eventOf("web", "MASTER", { reason: { code: "handed-over", text: "beta handed it over\0now" } }));
    await runner.stop(5_000);
    expect(out().filter((line) => !line.startsWith("VIPD_TEST"))).toEqual([
      "VIPD_ADDRESSES=10.0.0.50/24 2001:db8::50/64",
      "VIPD_ELECTION=web",
      "VIPD_NODE=alpha",
      "VIPD_PREVIOUS=",
      "VIPD_PRIORITY=150",
      "VIPD_REASON=handed-over",
      "VIPD_REASON_TEXT=beta handed it over now",
      "VIPD_STATE=MASTER",
      "VIPD_TOKEN=42",
    ]);
  });

  test("gets keepalived's arguments behind its own where that is configured", async () => {
    const text = 'echo "$#: $*" >> $OUT';
    const { argv } = hook(text);
    plan({ web: [hook(text, { argv: [...argv, "own"], arguments: "keepalived" })] });
    for (const state of ["BACKUP", "FAULT", "CONFLICT"] as const) {
      runner.post(eventOf("web", state));
      await eventually(
        "it has run, or is not asked",
        () => state === "CONFLICT" || out().at(-1)?.includes(state) === true,
      );
    }
    await runner.stop(5_000);
    expect(out()).toEqual(["5: own INSTANCE web BACKUP 150", "5: own INSTANCE web FAULT 150"]);
  });

  test.each([
    { state: "MASTER", expected: ["onMaster", "notify"] },
    { state: "BACKUP", expected: ["onBackup", "notify"] },
    { state: "FAULT", expected: ["onFault", "notify"] },
    { state: "STOP", expected: ["onStop", "notify"] },
    { state: "CONFLICT", expected: ["onConflict", "notify"] },
  ] as const)("is called for its state, and notify for all: $state", async ({ state, expected }) => {
    const names = ["onMaster", "onBackup", "onFault", "onStop", "onConflict", "notify"] as const;
    plan({ web: names.map((on) => hook(`echo ${on} >> $OUT`, { on })), other: [hook("echo wrong >> $OUT")] });
    runner.post(eventOf("web", state));
    await runner.stop(5_000);
    expect(out()).toEqual(expected);
  });

  test("that fails, hangs or cannot be run is logged, and the next one runs", async () => {
    const hooks = [
      hook("exit 3"),
      hook("sleep 60", { timeoutMs: 100 }),
      hook("", { argv: ["/nonexistent"] }),
      hook("kill -KILL $$"),
      hook(TELL),
    ];
    plan({ web: hooks });
    runner.post(eventOf("web", "MASTER"));
    await runner.stop(5_000);
    expect(out()).toEqual(["web MASTER "]);
    expect(messages(/^hook/u).map((message) => message.replace(/^hook \S+ for web MASTER: /u, ""))).toEqual([
      "exit status 3",
      "not done in time: stopped",
      "there is no program /nonexistent",
      "killed by SIGKILL",
      "exit status 0",
    ]);
    expect(log.lines.map(({ level }) => level)).toEqual(["warn", "warn", "warn", "warn", "info"]);
    expect(scripts().survivors()).toEqual([]);
  });

  test("runs as its user", async () => {
    scripts().open();
    plan({ web: [hook("id -un", { user: "nobody" })] });
    runner.post(eventOf("web", "MASTER"));
    await runner.stop(5_000);
    expect(messages()).toContain("nobody");
  });

  test.each([
    { name: "that others may write to", spoil: (path: string) => chmodSync(path, 0o777), why: /chmod go-w \S+script/u },
    {
      name: "in a directory that others may write to",
      spoil: (path: string) => chmodSync(path.replace(/\/[^/]+$/u, ""), 0o777),
      why: /all may write to \S+vdsc-\w+: chmod go-w/u,
    },
  ])("$name is refused, and the reason says what to do", async ({ spoil, why }) => {
    const unsafe = hook(TELL);
    spoil(unsafe.argv[0] ?? "");
    plan({ web: [unsafe] });
    runner.post(eventOf("web", "MASTER"));
    await runner.stop(5_000);
    expect(out()).toEqual([]);
    expect(messages(why)).toHaveLength(1);
  });

  test("has its output logged line by line, with its stream", async () => {
    plan({ web: [hook("echo one; sleep 0.05; echo two >&2; sleep 0.05; printf three")] });
    runner.post(eventOf("web", "MASTER"));
    await runner.stop(5_000);
    expect(log.lines.slice(0, 3).map(({ message, fields }) => [message, fields["stream"], fields["election"]])).toEqual(
      [
        ["one", "stdout", "web"],
        ["two", "stderr", "web"],
        ["three", "stdout", "web"],
      ],
    );
  });

  test("that prints a gigabyte ends, and a few lines of it are logged", async () => {
    plan({ web: [hook("yes 'a line of text that is not so short' | head -c 1000000000", { timeoutMs: 30_000 })] });
    runner.post(eventOf("web", "MASTER"));
    await runner.stop(30_000);
    expect(messages(/a line of text/u).length).toBeLessThan(200);
    expect(messages(/exit status 0/u)).toHaveLength(1);
    expect(messages(/printed too much: \d{9} bytes are not logged/u)).toHaveLength(1);
  });
});

describe("the order", () => {
  test("is that of the events, one hook at a time, and states that were superseded are dropped with a word", async () => {
    plan({ web: [hook(`${TELL}; sleep 0.2`)] });
    for (const state of ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"] as const) runner.post(eventOf("web", state));
    await runner.stop(5_000);
    expect(out()).toEqual(["web BACKUP ", "web MASTER BACKUP"]);
    expect(messages(/not told/u)).toEqual([
      "the hooks of web are not told of MASTER: FAULT came before it began",
      "the hooks of web are not told of FAULT: BACKUP came before it began",
      "the hooks of web are not told of BACKUP: MASTER came before it began",
    ]);
  });

  test("of one election does not wait for another one's hooks", async () => {
    plan({ slow: [hook("sleep 60")], fast: [hook(TELL)] });
    runner.post(eventOf("slow", "MASTER"));
    runner.post(eventOf("fast", "MASTER"));
    await eventually("the fast one has run", () => out().length === 1);
    await runner.stop(0);
    expect(scripts().survivors()).toEqual([]);
  });

  test("a conflict supersedes no state, and no state a conflict", async () => {
    plan({ web: [hook(`${TELL}; sleep 0.1`)] });
    for (const state of ["MASTER", "CONFLICT", "BACKUP", "CONFLICT"] as const) runner.post(eventOf("web", state));
    await runner.stop(5_000);
    expect(out()).toEqual(["web MASTER ", "web BACKUP MASTER", "web CONFLICT BACKUP"]);
    expect(messages(/not told of CONFLICT/u)).toHaveLength(1);
  });

  test("of 200 transitions with slow hooks keeps: the last one told is the real state, and no process is left", async () => {
    const random = seededRandom(11);
    const numbered = 'echo "$VIPD_STATE $VIPD_TOKEN $VIPD_PREVIOUS" >> $OUT; sleep 0.0$((VIPD_TOKEN % 5))';
    plan({
      web: [hook(numbered, { on: "onMaster" }), hook(numbered, { on: "onBackup" }), hook(numbered, { on: "onFault" })],
    });
    let last: HookState = "STOP";
    for (let number = 1; number <= 200; number += 1) {
      last = random.pick(["MASTER", "BACKUP", "FAULT"] as const);
      runner.post(eventOf("web", last, { token: String(number) }));
      if (random.chance(0.3)) await new Promise((resolve) => setTimeout(resolve, random.int(0, 20)));
    }
    await runner.stop(10_000);
    const lines = out().map((line) => line.split(" "));
    const tokens = lines.map(([, token]) => Number(token));
    expect(tokens.at(-1)).toBe(200);
    expect(lines.at(-1)?.[0]).toBe(last);
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
    expect(lines.slice(1).map(([, , previous]) => previous)).toEqual(lines.slice(0, -1).map(([state]) => state));
    expect(messages(/not told of/u)).toHaveLength(200 - lines.length);
    expect(lines.length).toBeGreaterThan(2);
    expect(scripts().survivors()).toEqual([]);
    expect(zombies()).toEqual([]);
  });

  test("a host that takes a hundred VIPs runs a bounded number of hooks at once, and all of them", async () => {
    const names = Array.from({ length: 100 }, (_, index) => `vip${index}`);
    const slow = hook("echo + >> $OUT; sleep 0.05; echo - >> $OUT");
    plan(Object.fromEntries(names.map((name) => [name, [slow]])));
    for (const name of names) runner.post(eventOf(name, "MASTER"));
    await runner.stop(20_000);
    const running = out().reduce<number[]>((sums, sign) => [...sums, (sums.at(-1) ?? 0) + (sign === "+" ? 1 : -1)], []);
    expect(out()).toHaveLength(200);
    expect(Math.max(...running)).toBeLessThanOrEqual(16);
    expect(running.at(-1)).toBe(0);
  });
});

describe("the end", () => {
  test("waits for the last hook", async () => {
    plan({ web: [hook(`sleep 0.2; ${TELL}`)] });
    runner.post(eventOf("web", "MASTER"));
    runner.post(eventOf("web", "STOP"));
    await runner.stop(5_000);
    expect(out()).toEqual(["web MASTER ", "web STOP MASTER"]);
  });

  test("is not held up by a hook that ignores SIGTERM, and what was not told is named", async () => {
    plan({ web: [hook("trap '' TERM; echo up >> $OUT; while :; do sleep 0.02; done")] });
    runner.post(eventOf("web", "MASTER"));
    await eventually("the hook runs", () => out().length === 1);
    runner.post(eventOf("web", "STOP"));
    const began = performance.now();
    await runner.stop(100);
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(scripts().survivors()).toEqual([]);
    expect(messages(/not told/u)).toEqual(["the hooks of web are not told of STOP: the daemon stops"]);
    runner.post(eventOf("web", "BACKUP"));
    expect(messages(/after the stop/u)).toHaveLength(1);
  });

  test("comes at once when nothing runs", async () => {
    await runner.stop(60_000);
  });
});

test("an event that no hook is for costs nothing, and its successor is told the state before it", async () => {
  plan({ web: [hook(TELL, { on: "onMaster" })] });
  runner.post(eventOf("web", "BACKUP"));
  await new Promise((resolve) => setImmediate(resolve));
  runner.post(eventOf("web", "MASTER"));
  runner.post(eventOf("none", "MASTER"));
  await runner.stop(5_000);
  expect(out()).toEqual(["web MASTER BACKUP"]);
  expect(readFileSync(scripts().path("out"), "utf8")).not.toContain("none");
});

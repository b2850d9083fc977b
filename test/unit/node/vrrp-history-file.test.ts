// What VRRP's masters were seen to be, on disk: bounded, seldom written, and never in the way.

import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { type HistoryKeeper, openHistories } from "../../../src/node/vrrp-history-file.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";

const WHY = reason("master-down");

let directory: string;
let file: string;
let timers: VirtualTimers;
let troubles: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vd-history-"));
  file = join(directory, "vrrp-history.json");
  timers = new VirtualTimers();
  troubles = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function open(save?: (path: string, text: string) => Promise<void>): HistoryKeeper {
  const onTrouble = (message: string): void => void troubles.push(message);
  return openHistories(directory, { timers, onTrouble, ...(save === undefined ? {} : { save }) });
}

function see(keeper: HistoryKeeper, vip: string, to: string | null, token = 1n): void {
  expect(keeper.of(vip).see(to, token, WHY, timers.wallMs())).toBe(true);
  keeper.changed();
}

test("shows the next process what this one saw, to nobody but its user", async () => {
  const keeper = open();
  see(keeper, "web", "n1", 1_800_000_000_000n);
  see(keeper, "web", "10.0.0.9", 1_800_000_000_000n);
  see(keeper, "db", "n1", 2n);
  await keeper.close();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const next = open();
  expect(next.of("web").all).toEqual(keeper.of("web").all);
  expect(next.of("web").holder).toBe("10.0.0.9");
  expect(next.of("db").last).toEqual({ atWallMs: timers.wallMs(), from: null, to: "n1", token: 2n, reason: WHY });
  expect(next.of("other").all).toEqual([]);
  expect(troubles).toEqual([]);
});

describe("writing", () => {
  let written: string[];
  let fails: boolean;
  const save = (path: string, text: string): Promise<void> => {
    expect(path).toBe(file);
    if (fails) return Promise.reject(new Error("ENOSPC: no space left on device"));
    written.push(text);
    return Promise.resolve();
  };
  beforeEach(() => {
    written = [];
    fails = false;
  });

  test("begins with the first change, and then comes once in five seconds, however many there are", async () => {
    const keeper = open(save);
    see(keeper, "web", "n1");
    await timers.advance(0);
    expect(written).toHaveLength(1);
    for (let i = 0; i < 490; i += 1) {
      see(keeper, "web", i % 2 === 0 ? null : "n1");
      await timers.advance(10);
    }
    expect(written).toHaveLength(1);
    await timers.advance(200);
    expect(written).toHaveLength(2);
    await timers.advance(60_000);
    expect(written, "nothing new").toHaveLength(2);
    await keeper.close();
    expect(written).toHaveLength(2);
  });

  test("that fails is told once, is tried with later changes, and then again", async () => {
    const keeper = open(save);
    fails = true;
    see(keeper, "web", "n1");
    await timers.advance(60_000);
    see(keeper, "web", null);
    await timers.advance(60_000);
    expect(troubles).toEqual([
      `${file} cannot be written (ENOSPC: no space left on device): vipctl history will not show after a restart what VRRP does now`,
    ]);
    fails = false;
    see(keeper, "web", "n1");
    await timers.advance(60_000);
    expect(written).toHaveLength(1);
    fails = true;
    see(keeper, "web", null);
    await timers.advance(60_000);
    expect(troubles).toHaveLength(2);
  });

  test("that never ends keeps no daemon from its end, and no second one is begun beside it", async () => {
    let begun = 0;
    const keeper = open(() => {
      begun += 1;
      return new Promise(() => {});
    });
    see(keeper, "web", "n1");
    await timers.advance(60_000);
    see(keeper, "web", null);
    await timers.advance(60_000);
    expect(begun).toBe(1);
    let closed = false;
    void keeper.close().then(() => (closed = true));
    await timers.advance(999);
    expect(closed).toBe(false);
    await timers.advance(1);
    expect(closed).toBe(true);
  });

  test("at the end takes the changes along that came during the last one", async () => {
    const ends: (() => void)[] = [];
    const keeper = open((_path, text) => {
      written.push(text);
      return new Promise((resolve) => ends.push(resolve));
    });
    see(keeper, "web", "n1");
    await timers.advance(0);
    see(keeper, "web", null);
    const closed = keeper.close();
    ends[0]?.();
    await timers.advance(0);
    expect(written).toHaveLength(2);
    ends[1]?.();
    await closed;
  });

  test("is bounded: of many VIPs the newest changes", async () => {
    const keeper = open(save);
    for (let vip = 0; vip < 64; vip += 1)
      for (let i = 0; i < 200; i += 1) {
        await timers.advance(1);
        see(keeper, `v${vip}`, i % 2 === 0 ? "n1" : null);
      }
    await keeper.close();
    const { vips } = JSON.parse(written.at(-1) ?? "") as { vips: { name: string; changes: unknown[] }[] };
    expect(vips.flatMap(({ changes }) => changes)).toHaveLength(4_096);
    expect(vips.map(({ name }) => name)).toEqual(Array.from({ length: 32 }, (_, i) => `v${i + 32}`));
  });
});

describe("a file that another hand wrote", () => {
  const change = { atWallMs: 5, from: null, to: "n1", token: "7", reason: WHY };
  const withChange = (more: object): string =>
    JSON.stringify({ vips: [{ name: "web", changes: [{ ...change, ...more }] }] });

  test("is taken when it is well formed", () => {
    writeFileSync(file, withChange({}));
    expect(open().of("web").all).toEqual([{ ...change, token: 7n }]);
    expect(troubles).toEqual([]);
  });

  test.each([
    ["empty", ""],
    ["cut off", withChange({}).slice(0, -9)],
    ["another shape", '{"vips":{"__proto__":[]}}'],
    ["a token that is no number", withChange({ token: "-7" })],
    ["a token without end", withChange({ token: "9".repeat(400_000) })],
    ["a time that is no date", withChange({ atWallMs: 1e300 })],
    ["a text without end", withChange({ reason: { code: "x", text: "a".repeat(10_000) } })],
    [
      "more changes than a history has",
      JSON.stringify({ vips: [{ name: "web", changes: Array.from({ length: 1_000 }, () => change) }] }),
    ],
  ])("is left aside with a word: %s", (_what, text) => {
    writeFileSync(file, text);
    expect(open().of("web").all).toEqual([]);
    expect(troubles).toEqual([`${file} cannot be understood: the history of VRRP begins anew`]);
  });

  test("is not followed to elsewhere", () => {
    const elsewhere = join(directory, "elsewhere.json");
    writeFileSync(elsewhere, withChange({}));
    symlinkSync(elsewhere, file);
    expect(open().of("web").all).toEqual([]);
    expect(troubles).toHaveLength(1);
  });

  test("is replaced as a whole, link or not, and what it led to is not touched", async () => {
    const elsewhere = join(directory, "elsewhere.json");
    writeFileSync(elsewhere, "precious");
    symlinkSync(elsewhere, file);
    const keeper = open();
    see(keeper, "web", "n1");
    await keeper.close();
    expect(readFileSync(elsewhere, "utf8")).toBe("precious");
    expect(open().of("web").holder).toBe("n1");
  });
});

// vipctl's front door: arguments, help, and the exit code for each thing that goes wrong.

import { expect, test } from "vitest";
import { type ErrorCode, VipdError } from "../../../src/base/errors.ts";
import { EXIT, exitCodeOf, VIPCTL_EXIT_CODES, VIPD_EXIT_CODES } from "../../../src/cli/exit-codes.ts";
import { Desk } from "./desk.ts";

test.each([
  [[], "Usage: vipctl"],
  [["who-own"], "Did you mean who-owns?"],
  [["who-owns"], "missing required argument 'vip'"],
  [["who-owns", "a", "b"], "too many arguments"],
  [["status", "--watchh"], "unknown option '--watchh'"],
  [["status", "--store"], "argument missing"],
])("%j are wrong arguments: exit 2, on the side of errors", async (argv, text) => {
  const desk = new Desk();
  expect(await desk.vipctl(...argv)).toBe(EXIT.usage);
  expect(desk.err.text).toContain(text);
  expect(desk.out.text).toBe("");
});

test("help is an answer, not an error; it tells every exit code", async () => {
  const desk = new Desk();
  expect(await desk.vipctl("--help")).toBe(EXIT.ok);
  for (const [code, meaning] of VIPCTL_EXIT_CODES) expect(desk.out.text).toContain(`${code}  ${meaning}`);
  expect(desk.err.text).toBe("");
});

test("exit 1 is told to be the doctor's failure too", async () => {
  const desk = new Desk();
  await desk.vipctl("--help");
  expect(desk.out.text).toMatch(/^ +1 .*doctor: a failure was found$/mu);
});

test("each command has help of its own", async () => {
  for (const command of ["who-owns", "status", "history", "step-down", "doctor", "version"]) {
    const desk = new Desk();
    expect(await desk.vipctl(command, "--help")).toBe(EXIT.ok);
    expect(desk.out.text).toMatch(new RegExp(`^Usage: vipctl ${command}`, "u"));
  }
});

test("--version prints the version", async () => {
  const desk = new Desk();
  expect(await desk.vipctl("--version")).toBe(EXIT.ok);
  expect(desk.out.text).toBe("0.1.0\n");
});

test("every error of vipd has an exit code, and what is no such error is a bug or the system's", () => {
  const expected: Readonly<Record<ErrorCode, number>> = {
    "store-unavailable": 3,
    "outcome-unknown": 3,
    "store-corrupt": 3,
    "store-url": 78,
    kernel: 71,
    privilege: 77,
    interface: 69,
    fence: 71,
    "state-dir": 74,
    config: 78,
    admin: 69,
    "lease-lost": 75,
    "already-running": 75,
    timeout: 75,
    aborted: 130,
  };
  for (const [code, exit] of Object.entries(expected))
    expect(exitCodeOf(new VipdError(code as ErrorCode, "x")), code).toBe(exit);
  expect(exitCodeOf(new Error("x"))).toBe(70);
  expect(exitCodeOf("x")).toBe(70);
  expect(exitCodeOf(Object.assign(new Error("x"), { syscall: "open", errno: -13 }))).toBe(74);
});

test("no exit code of the help is told twice, and each is one of the known", () => {
  for (const rows of [VIPD_EXIT_CODES, VIPCTL_EXIT_CODES]) {
    const codes = rows.map(([code]) => code);
    expect(new Set(codes).size).toBe(codes.length);
    expect(Object.values(EXIT)).toEqual(expect.arrayContaining(codes));
  }
});

test.each([
  [["who-owns", "web", "--fleet", "other"], "'--fleet <name>' needs '--store <url>'"],
  [["status", "--fleet", "other"], "'--fleet <name>' needs '--store <url>'"],
  [["history", "web", "--fleet", "other", "--socket", "/s"], "'--fleet <name>' needs '--store <url>'"],
  [["who-owns", "web", "--watch", "--verify"], "--verify"],
  [["who-owns", "web", "--watch", "--confirm"], "--confirm"],
  [["status", "--store", "sqlite:/x", "--socket", "/s"], "--socket"],
  [["history", "web", "--store", "sqlite:/x", "--config", "/c"], "--config"],
])("options that do not go together are refused, not dropped: %j", async (argv, text) => {
  const desk = new Desk();
  desk.daemon();
  expect(await desk.vipctl(...argv)).toBe(EXIT.usage);
  expect(desk.err.text).toContain(text);
  expect(desk.out.text).toBe("");
});

test.each([["history"], ["vrrp"], ["vrrp", "listen"], ["realserver", "up"]])(
  "help of %s %s: what the command's own --help says",
  async (...path) => {
    const [one, other] = [new Desk(), new Desk()];
    expect(await one.vipctl("help", ...path)).toBe(0);
    expect(await other.vipctl(...path, "--help")).toBe(0);
    expect(one.out.text).toBe(other.out.text);
    expect(one.out.text).toContain(`Usage: vipctl ${path.join(" ")}`);
  },
);

test("help of a command runs nothing, whatever follows it", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  expect(await desk.vipctl("help", "step-down", "web", "--json")).toBe(0);
  expect(desk.out.text).toContain("Usage: vipctl step-down");
  expect(daemon.asked).toEqual([]);
});

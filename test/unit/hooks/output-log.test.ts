import { expect, test } from "vitest";
import { OutputLog } from "../../../src/hooks/output-log.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";

function start(): { readonly log: OutputLog; readonly lines: string[]; readonly timers: VirtualTimers } {
  const timers = new VirtualTimers();
  const lines: string[] = [];
  const log = new OutputLog({ clock: timers, write: (stream, line) => lines.push(`${stream}: ${line}`) });
  return { log, lines, timers };
}

test("lines come whole, however they are cut, and streams do not mix", () => {
  const { log, lines } = start();
  log.push("stdout", Buffer.from("on"));
  log.push("stderr", Buffer.from("two\nth"));
  log.push("stdout", Buffer.from("e\n\n  \nfour\nfi"));
  log.push("stdout", Buffer.from("ve"));
  log.end();
  expect(lines).toEqual(["stderr: two", "stdout: one", "stdout: four", "stdout: five", "stderr: th"]);
});

test("a letter of several bytes survives a cut in its middle", () => {
  const { log, lines } = start();
  const bytes = Buffer.from("grün\n");
  log.push("stdout", bytes.subarray(0, 3));
  log.push("stdout", bytes.subarray(3));
  expect(lines).toEqual(["stdout: grün"]);
});

test("a long line is cut, and the next one is whole again", () => {
  const { log, lines } = start();
  for (let i = 0; i < 100; i += 1) log.push("stdout", Buffer.from("x".repeat(1_000)));
  log.push("stdout", Buffer.from("end\nnext\n"));
  expect(lines).toHaveLength(2);
  expect(lines[0]?.length).toBeLessThan(1_100);
  expect(lines[1]).toBe("stdout: next");
});

test("control characters do not reach a terminal", () => {
  const { log, lines } = start();
  log.push("stdout", Buffer.from("\u001b[2Jgone\u0007 \u202eback\r\n"));
  expect(lines).toEqual(["stdout: [2Jgone   back"]);
});

test("fifty lines come at once, then ten a second, and the rest is counted", async () => {
  const { log, lines, timers } = start();
  const flood = Buffer.from("line\n".repeat(1_000));
  log.push("stdout", flood);
  expect(lines).toHaveLength(50);
  expect(log.skippedBytes).toBe(950 * 5);
  await timers.advance(2_000);
  log.push("stdout", flood);
  expect(lines).toHaveLength(70);
  await timers.advance(60_000);
  log.push("stderr", flood);
  expect(lines).toHaveLength(120);
});

test("what follows a line that was skipped in the middle begins with the next one", async () => {
  const { log, lines, timers } = start();
  log.push("stdout", Buffer.from(`${"line\n".repeat(50)}cut off he`));
  await timers.advance(1_000);
  log.push("stdout", Buffer.from("re\nwhole\n"));
  expect(lines.slice(50)).toEqual(["stdout: whole"]);
});

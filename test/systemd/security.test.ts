// What the unit lets the service do, by systemd's own measure: 0 is nothing, 10 is everything.

import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

const UNIT = "docs/vipd.service";
const MOST = 2.5;

function analyze(...args: readonly string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync("systemd-analyze", args, {
    encoding: "utf8",
    env: { ...process.env, SYSTEMD_EMOJI: "0", SYSTEMD_COLORS: "0" },
  });
  return { status, text: `${stdout ?? ""}${stderr ?? ""}` };
}

const version = analyze("--version");
const reason = "systemd-analyze is not installed here";
if (version.status !== 0) process.stderr.write(`SKIPPED: ${reason}\n`);

test("the unit exposes little", (context) => {
  if (version.status !== 0) context.skip(reason);
  const { text } = analyze("security", "--offline=true", UNIT);
  const exposure = /Overall exposure level for vipd\.service: (?<level>[\d.]+)/u.exec(text)?.groups?.["level"];
  expect(Number(exposure), text).toBeLessThanOrEqual(MOST);
});

test("systemd knows every setting of the unit", (context) => {
  if (version.status !== 0) context.skip(reason);
  const { text } = analyze("verify", "--man=no", UNIT);
  // The programs are not installed on the machine that tests.
  const remarks = text.split("\n").filter((line) => line !== "" && !line.includes("Command vipd is not executable"));
  expect(remarks).toEqual([]);
});

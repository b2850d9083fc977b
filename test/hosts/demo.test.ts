// What the demo tells people to try works as it stands.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { hints } from "../demo/hints.ts";
import { oneVip } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const run = promisify(execFile);
const bench = useFleet(["a", "b"]);

test("the lines that the demo prints for another terminal", async () => {
  const { fleet } = bench();
  const [a, b] = [bench().host("a"), bench().host("b")];
  const first = fleet.start(a, { vips: oneVip(200, "    preempt: false\n") });
  await first.holds();
  const second = fleet.start(b, { vips: oneVip(150, "    preempt: false\n") });
  await second.backs();
  const told = async (): Promise<readonly string[]> =>
    (await hints(fleet, [first, second])).map((line) => line.slice(line.lastIndexOf("  ") + 2));
  const [, whoOwns = "", stepDown = "", ping = ""] = await told();
  expect((await run("sh", ["-c", whoOwns.replace(" --watch", "")])).stdout).toContain("web is held by a");
  await run("sh", ["-c", stepDown]);
  await second.holds();
  // Whoever holds it then: only there it can be handed over.
  await run("sh", ["-c", (await told())[2] ?? ""]);
  await first.holds();
  // Not every machine has ping.
  expect(ping).toMatch(/ ping 10\.77\.0\.50$/u);
  expect((await run("sh", ["-c", ping.replace(/ping \S+$/u, "ip address")])).stdout).toContain(` ${a.ip}/24`);
});

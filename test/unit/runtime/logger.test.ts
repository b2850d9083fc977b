// The daemon's log, in a process of its own: what reaches standard output.

import { execFile } from "node:child_process";
import { expect, test } from "vitest";
import { createLogger } from "../../../src/runtime/logger.ts";

const MODULE = new URL("../../../src/runtime/logger.ts", import.meta.url).href;

/** Runs code with a JSON logger `log` of level info, and gives the lines that the process wrote before it ended. */
function linesOf(code: string): Promise<readonly Record<string, unknown>[]> {
  const program = `import { createLogger } from ${JSON.stringify(MODULE)};
const log = await createLogger({ level: "info", format: "json", node: "n1" });
${code}`;
  return new Promise((resolve) => {
    execFile(process.execPath, ["--input-type=module", "-e", program], (_error, stdout) =>
      resolve(
        stdout
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as Record<string, unknown>),
      ),
    );
  });
}

test("lines are JSON with the node, a level, a time, facts and a message", async () => {
  const [line] = await linesOf(`log.warn({ vip: "web", token: "12" }, "lost");`);
  expect(line).toMatchObject({ node: "n1", level: "warn", vip: "web", token: "12", msg: "lost" });
  expect(line?.["time"]).toMatch(/^\d{4}-\d\d-\d\dT/u);
});

test("a process that is killed right after a call has written its line", async () => {
  const lines = await linesOf(`log.info({}, "last words"); process.kill(process.pid, "SIGKILL");`);
  expect(lines.map((line) => line["msg"])).toEqual(["last words"]);
});

test("the level can change while it runs", async () => {
  const lines = await linesOf(
    `log.debug({}, "one"); log.setLevel("debug"); log.debug({}, "two"); log.setLevel("error"); log.warn({}, "three");`,
  );
  expect(lines.map((line) => line["msg"])).toEqual(["two"]);
  const log = await createLogger({ level: "info", format: "json", node: "n1" });
  expect(log.isDebug()).toBe(false);
  log.setLevel("debug");
  expect(log.isDebug()).toBe(true);
});

// The end of processes that are not this one's children.

import { readFileSync } from "node:fs";
import process from "node:process";
import { expect, test } from "vitest";
import { programStarter, watchExit } from "../../../adapters/linux/programs.ts";
import { eventually } from "../../linux/namespaces.ts";
import { useScripts } from "./scripts.ts";

const scripts = useScripts();

/** Starts a shell that starts a process and never waits for it; the answer is the id of that process. */
async function orphan(): Promise<number> {
  const path = scripts().sh(`sleep 60 & echo $! > ${scripts().path("pid")}; exec sleep 60`);
  const { environment } = scripts();
  programStarter()?.({ path, argv: [path], environment }, () => {});
  await eventually("the shell has become a sleep", () => scripts().survivors().length === 2);
  await eventually("the process is known", () => {
    return (
      scripts()
        .survivors()
        .filter((line) => line.includes("sleep 60")).length === 2
    );
  });
  return Number(readFileSync(scripts().path("pid"), "utf8"));
}

test("is told once, also when nobody waits for the process", async () => {
  const pid = await orphan();
  let told = 0;
  expect(watchExit(pid, () => (told += 1))).toBeDefined();
  process.kill(pid, "SIGKILL");
  await eventually("its end is told", () => told > 0);
  expect(readFileSync(`/proc/${pid}/stat`, "utf8")).toMatch(/\) Z /u);
  expect(told).toBe(1);
});

test("is not told to who does not want it any more", async () => {
  const pid = await orphan();
  let [unwanted, wanted] = [0, 0];
  const end = watchExit(pid, () => (unwanted += 1));
  watchExit(pid, () => (wanted += 1));
  end?.();
  end?.();
  process.kill(pid, "SIGKILL");
  await eventually("its end is told", () => wanted > 0);
  expect(unwanted).toBe(0);
});

test("cannot be followed of a process that is gone", () => {
  expect(watchExit(2 ** 30, () => {})).toBeUndefined();
});

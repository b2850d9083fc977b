// Reloads that are asked for while one is under way: none overtakes another, none is lost, and none outlives a stop.

import { expect, test } from "vitest";
import { OneAtATime } from "../../../src/bin/one-at-a-time.ts";

/** Work that waits until the test ends it, and writes down what happens. */
class Work {
  readonly log: string[] = [];
  private readonly waiting: (() => void)[] = [];
  private begun = 0;

  readonly run = async (signal: AbortSignal): Promise<void> => {
    const number = (this.begun += 1);
    this.log.push(`begins ${number}`);
    await new Promise<void>((resolve) => void this.waiting.push(resolve));
    this.log.push(signal.aborted ? `drops ${number}` : `applies ${number}`);
  };

  /** Ends the oldest run, and lets everything happen that follows from it. */
  async end(): Promise<void> {
    this.waiting.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a run that is under way is followed by one more, however often it is asked for", async () => {
  const work = new Work();
  const reloads = new OneAtATime(work.run);
  reloads.request();
  reloads.request();
  reloads.request();
  expect(work.log).toEqual(["begins 1"]);
  await work.end();
  expect(work.log).toEqual(["begins 1", "applies 1", "begins 2"]);
  await work.end();
  expect(work.log).toEqual(["begins 1", "applies 1", "begins 2", "applies 2"]);
});

test("when none is under way, each request is a run of its own", async () => {
  const work = new Work();
  const reloads = new OneAtATime(work.run);
  for (const number of [1, 2]) {
    reloads.request();
    await work.end();
    expect(work.log.at(-1)).toBe(`applies ${number}`);
  }
});

test("a stop aborts the run that is under way, and none begins any more", async () => {
  const work = new Work();
  const reloads = new OneAtATime(work.run);
  reloads.request();
  reloads.request();
  reloads.close();
  await work.end();
  reloads.request();
  expect(work.log).toEqual(["begins 1", "drops 1"]);
});

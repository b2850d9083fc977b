// Limits of calls: each settles in time, by its signal, and at the close, and says the truth about what was done.

import { describe, expect, test } from "vitest";
import { type ErrorCode, VipdError } from "../../src/base/errors.ts";
import type { CallLimits, Store } from "../../src/ports/store.ts";
import { contents, type Harness, PATIENT, put, SLACK_MS, testWith, thrownBy } from "./harness.ts";
import type { Traits } from "./suite.ts";

const TIMEOUT_MS = 200;

/** What a call that did not do it may throw; of these, some promise that a commit was not and will not be applied. */
const SURELY_NOT: readonly ErrorCode[] = ["store-unavailable"];
const READ_FAILURES: readonly ErrorCode[] = ["store-unavailable", "timeout", "aborted"];
const COMMIT_FAILURES: readonly ErrorCode[] = ["store-unavailable", "outcome-unknown", "aborted"];

function write(store: Store, limits: CallLimits, value = "1"): Promise<unknown> {
  return store.commit({ guards: [], writes: [{ key: "k", value }] }, limits);
}

/** The code of what a call threw, and how long it took. */
async function failure(call: () => Promise<unknown>): Promise<{ readonly code: ErrorCode; readonly tookMs: number }> {
  const began = performance.now();
  const error = await thrownBy(call);
  const tookMs = performance.now() - began;
  if (!(error instanceof VipdError)) throw error;
  return { code: error.code, tookMs };
}

/** Describes deadlines, signals, closing and outages. */
export function describeLimits(current: () => Harness, traits: Traits): void {
  describe("limits", () => {
    test("a signal that has aborted before: nothing is done", async () => {
      const store = await current().open();
      const limits = { timeoutMs: 1_000, signal: AbortSignal.abort() };
      expect((await failure(() => store.read("", limits))).code).toBe("aborted");
      expect(COMMIT_FAILURES).toContain((await failure(() => write(store, limits))).code);
      expect((await store.read("", PATIENT)).records).toEqual([]);
    });

    test("a closed store refuses everything, however often it is closed", async () => {
      const store = await current().open();
      await store.close();
      await store.close();
      expect((await failure(() => store.read("", PATIENT))).code).toBe("store-unavailable");
      expect((await failure(() => write(store, PATIENT))).code).toBe("store-unavailable");
      for await (const event of store.watch("", 0n, new AbortController().signal)) expect(event.kind).toBe("gap");
      expect((await (await current().open()).read("", PATIENT)).records).toEqual([]);
    });

    test("a signal that aborts after the call has settled does no harm", async () => {
      const store = await current().open();
      const abort = new AbortController();
      await write(store, { timeoutMs: 1_000, signal: abort.signal });
      abort.abort();
      expect(contents(await store.read("", PATIENT))).toEqual({ k: "1" });
    });

    testWith(traits.block)("calls that are kept waiting settle by their deadline, and tell the truth", async () => {
      const store = await current().open();
      await put(store, "k", "0");
      const limits = { timeoutMs: TIMEOUT_MS };
      const [commit, read] = await whileBlocked(current(), () =>
        Promise.all([failure(() => write(store, limits)), readFailure(current(), store, limits)]),
      );
      expect(COMMIT_FAILURES).toContain(commit.code);
      expect(commit.tookMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
      if (read !== undefined) expect(READ_FAILURES).toContain(read.code);
      expect(read?.tookMs ?? 0).toBeLessThan(TIMEOUT_MS + SLACK_MS);
      if (SURELY_NOT.includes(commit.code) && traits.restartKeepsData)
        expect(contents(await settled(store))).toEqual({ k: "0" });
    });

    testWith(traits.block)("a call that is kept waiting goes through when the way is free in time", async () => {
      const store = await current().open();
      const { commit } = await whileBlocked(current(), async () => ({ commit: write(store, PATIENT) }));
      expect(await commit).toMatchObject({ kind: "committed" });
    });

    testWith(traits.block)("an abort settles a waiting commit at once", async () => {
      const store = await current().open();
      const abort = new AbortController();
      const { code, tookMs } = await whileBlocked(current(), async () => {
        const waiting = failure(() => write(store, { timeoutMs: 10_000, signal: abort.signal }));
        await new Promise((resolve) => setImmediate(resolve));
        abort.abort();
        return waiting;
      });
      expect(COMMIT_FAILURES).toContain(code);
      expect(tookMs).toBeLessThan(SLACK_MS);
    });

    testWith(traits.block)("closing settles a waiting commit at once", async () => {
      const store = await current().open();
      const { code, tookMs } = await whileBlocked(current(), async () => {
        const waiting = failure(() => write(store, { timeoutMs: 10_000 }));
        await new Promise((resolve) => setImmediate(resolve));
        await store.close();
        return waiting;
      });
      expect(COMMIT_FAILURES).toContain(code);
      expect(tookMs).toBeLessThan(SLACK_MS);
    });

    testWith(traits.outage)("an outage fails every call in time; afterwards the same store works again", async () => {
      const store = await current().open();
      await put(store, "k", "0");
      const { outage } = current();
      await outage?.begin();
      const limits = { timeoutMs: TIMEOUT_MS };
      const read = await failure(() => store.read("", limits));
      const commit = await failure(() => write(store, limits));
      await outage?.end();
      expect(READ_FAILURES).toContain(read.code);
      expect(COMMIT_FAILURES).toContain(commit.code);
      expect(Math.max(read.tookMs, commit.tookMs)).toBeLessThan(TIMEOUT_MS + SLACK_MS);
      // The outage may have begun a new epoch: who has not read it yet is told so by a refusal.
      await store.read("", PATIENT);
      if (SURELY_NOT.includes(commit.code) && traits.restartKeepsData)
        expect(contents(await settled(store))).toEqual({ k: "0" });
      await put(store, "k", "2");
      expect(contents(await store.read("", PATIENT))).toEqual({ k: "2" });
    });
  });
}

/** Runs a part of a test while every call is kept waiting; what comes of it, the way is free again afterwards. */
async function whileBlocked<T>({ block }: Harness, run: () => Promise<T>): Promise<T> {
  if (block === undefined) throw new Error("the harness cannot block");
  const release = await block.start();
  try {
    return await run();
  } finally {
    await release();
  }
}

async function readFailure(
  { block }: Harness,
  store: Store,
  limits: CallLimits,
): Promise<Awaited<ReturnType<typeof failure>> | undefined> {
  return block?.reads === true ? failure(() => store.read("", limits)) : void (await store.read("", limits));
}

/** What the store holds once whatever may still have been under way has had its time. */
async function settled(store: Store): ReturnType<Store["read"]> {
  await put(store, "marker", "1");
  await put(store, "marker", null);
  return store.read("", PATIENT);
}

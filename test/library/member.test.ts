// One process with several members on a real store: what leading, losing, resigning and leaving do.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryBackend, openMemoryStore } from "../../adapters/memory/index.ts";
import { type FleetMember, type FleetOptions, joinFleet, type Observation } from "../../src/index.ts";

let directory = "";
let members: FleetMember[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdm-"));
});

afterEach(async () => {
  await Promise.all(members.map((member) => member.leave()));
  members = [];
  rmSync(directory, { recursive: true, force: true });
});

async function enter(options: Partial<FleetOptions> = {}): Promise<FleetMember> {
  const member = await joinFleet({ store: `sqlite:${directory}/fleet.db`, fleet: "test", ttlMs: 600, ...options });
  members.push(member);
  return member;
}

/** A piece of work that goes on until it is told to stop. */
function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

test("lead gives the work's value, and the election up", async () => {
  const [a, b] = [await enter(), await enter()];
  const first = await a.lead("job", ({ token, check }) => {
    check();
    return token;
  });
  const second = await b.lead("job", ({ token }) => token);
  expect(second).toBeGreaterThan(first);
});

test("only one of many leads at a time, and each gets its turn", async () => {
  let running = 0;
  const tokens: bigint[] = [];
  const all = await Promise.all([enter(), enter(), enter()]);
  await Promise.all(
    all.map((member) =>
      member.lead("job", async ({ token }) => {
        running += 1;
        expect(running).toBe(1);
        tokens.push(token);
        await sleep(30);
        running -= 1;
      }),
    ),
  );
  expect(tokens).toHaveLength(3);
  expect(tokens).toEqual(tokens.toSorted((x, y) => (x < y ? -1 : 1)));
});

test("what the work throws is what lead rejects with; the election is free again", async () => {
  const [a, b] = [await enter(), await enter()];
  await expect(a.lead("job", () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  await expect(b.lead("job", () => "mine")).resolves.toBe("mine");
});

test("resign aborts the signal, waits for the work, and only then may another lead", async () => {
  const [a, b] = [await enter(), await enter()];
  const order: string[] = [];
  const begun = Promise.withResolvers<void>();
  const leading = a.lead("job", async ({ signal }) => {
    begun.resolve();
    await untilAborted(signal);
    await sleep(100);
    order.push("a has stopped");
  });
  await begun.promise;
  const next = b.lead("job", () => order.push("b leads"));
  const refused = expect(leading).rejects.toMatchObject({ code: "aborted" });
  await a.resign("job");
  await Promise.all([refused, next]);
  expect(order).toEqual(["a has stopped", "b leads"]);
});

test("the caller's signal ends a campaign that has not led", async () => {
  const [a, b] = [await enter(), await enter()];
  const begun = Promise.withResolvers<void>();
  const leading = a.lead("job", async ({ signal }) => {
    begun.resolve();
    await untilAborted(signal);
  });
  await begun.promise;
  await expect(b.lead("job", () => "never", { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
    code: "aborted",
  });
  await expect(b.lead("job", () => "never", { signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: "aborted",
  });
  await Promise.all([expect(leading).rejects.toMatchObject({ code: "aborted" }), a.resign("job")]);
});

test("leaving ends everything, and a member that has left leads no more", async () => {
  const a = await enter();
  const begun = Promise.withResolvers<void>();
  const leading = a.lead("job", async ({ signal }) => {
    begun.resolve();
    await untilAborted(signal);
  });
  await begun.promise;
  await Promise.all([expect(leading).rejects.toMatchObject({ code: "aborted" }), a.leave()]);
  await expect(a.lead("job", () => 1)).rejects.toMatchObject({ code: "aborted" });
  const b = await enter();
  await expect(b.lead("job", () => "free")).resolves.toBe("free");
});

test("observers see who leads, under which token, and when it is free", async () => {
  const [a, b] = [await enter({ node: "a" }), await enter({ node: "b" })];
  const seen: Observation[] = [];
  const enough = new AbortController();
  const watching = (async () => {
    for await (const observation of b.observe("job", enough.signal)) {
      seen.push(observation);
      if (seen.length > 1 && observation.holder === null) enough.abort();
    }
  })();
  const token = await a.lead("job", async (leadership) => {
    await expect.poll(() => seen.at(-1)?.holder, { timeout: 5_000 }).toBe("a");
    return leadership.token;
  });
  await watching;
  expect(seen).toContainEqual({ holder: "a", token, alive: true, self: false });
  expect(seen.at(-1)).toMatchObject({ holder: null });
});

describe("a lease that is lost while the work runs", () => {
  test("aborts the signal before anyone else leads; check says so even where the loop was blocked", async () => {
    const backend = new MemoryBackend();
    const cut = { off: false };
    const store = openMemoryStore(backend);
    const flaky = {
      ...store,
      guarantees: store.guarantees,
      read: (...args: Parameters<typeof store.read>) => (cut.off ? new Promise<never>(() => {}) : store.read(...args)),
      commit: (...args: Parameters<typeof store.commit>) =>
        cut.off ? new Promise<never>(() => {}) : store.commit(...args),
      watch: (...args: Parameters<typeof store.watch>) => store.watch(...args),
      close: () => store.close(),
    };
    const [a, b] = [await enter({ store: flaky }), await enter({ store: openMemoryStore(backend) })];
    const events: string[] = [];
    const begun = Promise.withResolvers<void>();
    const leading = a.lead("job", async ({ signal }) => {
      begun.resolve();
      await untilAborted(signal);
      events.push("a aborted");
    });
    await begun.promise;
    cut.off = true;
    const next = b.lead("job", () => events.push("b leads"));
    await expect(leading).rejects.toMatchObject({ code: "lease-lost" });
    await next;
    expect(events).toEqual(["a aborted", "b leads"]);
    cut.off = false;
  });

  test("check throws after a computation that outlasted the lease", async () => {
    const a = await enter();
    const leading = a.lead("job", ({ check, signal }) => {
      check();
      const end = performance.now() + 800;
      while (performance.now() < end);
      expect(signal.aborted).toBe(false);
      check();
    });
    await expect(leading).rejects.toMatchObject({ code: "lease-lost" });
  });

  test("with `again` it campaigns anew, never with a smaller token", async () => {
    const a = await enter();
    const tokens: bigint[] = [];
    const value = await a.lead(
      "job",
      async ({ token, signal }) => {
        tokens.push(token);
        if (tokens.length > 1) return "second time";
        const end = performance.now() + 800;
        while (performance.now() < end);
        await untilAborted(signal);
        return "never";
      },
      { again: true },
    );
    expect(value).toBe("second time");
    expect(tokens[1]).toBeGreaterThanOrEqual(tokens[0] ?? 0n);
  });
});

describe("bad input", () => {
  test.each([
    [{ fleet: "no spaces" }, "config"],
    [{ node: "" }, "config"],
    [{ ttlMs: 100 }, "config"],
    [{ store: "zookeper:x" }, "store-url"],
    [{ store: "sqlite:/nowhere/at/all.db" }, "store-unavailable"],
  ])("%o is refused with %s", async (options, code) => {
    await expect(enter(options)).rejects.toMatchObject({ code });
  });

  test("an election's name, and a second campaign for it, are refused", async () => {
    const a = await enter();
    expect(() => a.lead("no/slash", () => 1)).toThrow(expect.objectContaining({ code: "config" }));
    const first = a.lead("job", async ({ signal }) => untilAborted(signal));
    await expect(a.lead("job", () => 2)).rejects.toMatchObject({ code: "config" });
    await Promise.all([expect(first).rejects.toThrow(/job/u), a.leave()]);
  });
});

// One process with several members on a real store: what leading, losing, resigning and leaving do.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Follower } from "../conformance/follower.ts";
import { MemoryBackend, openMemoryStore } from "../servers/memory/index.ts";
import { Keys } from "../../src/election/keys.ts";
import { type CandidateRecord, encodeValue, type SessionRecord } from "../../src/election/records.ts";
import {
  type FleetMember,
  type FleetOptions,
  type Change,
  joinFleet,
  type Observation,
  openStore,
  type Store,
} from "../../src/index.ts";

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

test("shown by console.log, it is who it is, without its store", async () => {
  expect(inspect(await enter({ node: "m1" }))).toBe('FleetMember { node: "m1" }');
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

test("what the work leaves running learns that its term is over", async () => {
  const a = await enter();
  const left = await a.lead("job", (leadership) => leadership);
  expect(left.signal.aborted).toBe(true);
  expect(left.check).toThrow(expect.objectContaining({ code: "lease-lost" }));
});

test("at a vacancy the greatest priority leads first", async () => {
  const [a, low, high] = [await enter(), await enter(), await enter()];
  const order: string[] = [];
  const elections = ["one", "two", "three"];
  const free = Promise.withResolvers<void>();
  const held = Promise.all(elections.map((election) => a.lead(election, () => free.promise)));
  await expect.poll(() => elections.every((election) => a.look(election)?.self === true)).toBe(true);
  const turns = elections.flatMap((election) => [
    low.lead(election, () => order.push(`${election} low`), { priority: 10 }),
    high.lead(election, () => order.push(`${election} high`), { priority: 200 }),
  ]);
  const store = await openStore(`sqlite:${directory}/fleet.db`);
  await expect.poll(() => keysOf(store, "candidates/")).toHaveLength(9);
  await store.close();
  free.resolve();
  await Promise.all([held, ...turns]);
  for (const election of elections)
    expect(order.filter((entry) => entry.startsWith(election))).toEqual([`${election} high`, `${election} low`]);
});

test("a member whose signal aborts leaves; one that aborts while it joins does not come to be", async () => {
  const leaving = new AbortController();
  const a = await enter({ signal: leaving.signal });
  const leading = a.lead("job", ({ signal }) => untilAborted(signal));
  await expect.poll(() => a.look("job")?.self, { timeout: 5_000 }).toBe(true);
  const refused = expect(leading).rejects.toMatchObject({ code: "aborted" });
  leaving.abort();
  await Promise.all([refused, a.leave()]);
  const joining = new AbortController();
  const joined = enter({ signal: joining.signal });
  joining.abort();
  await expect(joined).rejects.toMatchObject({ code: "aborted" });
  await expect(enter({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
});

test("what dead processes left is swept away; the living, and hosts of a VIP, are not", async () => {
  const store = await openStore(`sqlite:${directory}/fleet.db`);
  const { revision } = await store.read("", { timeoutMs: 2_000 });
  const follower = new Follower(store, new Keys("test").live, revision);
  const a = await enter({ ttlMs: 500, node: "a" });
  await enter({ ttlMs: 500, node: "b" });
  const leading = a.lead("job", ({ signal }) => untilAborted(signal));
  const refused = expect(leading).rejects.toMatchObject({ code: "aborted" });
  await leaveBehind(store, "dead", []);
  await leaveBehind(store, "host", ["192.0.2.1/24"]);
  const sessions = ["fleet/sessions/a", "fleet/sessions/b", "fleet/sessions/host"];
  await expect.poll(() => keysOf(store, "fleet/sessions/"), { timeout: 12_000 }).toEqual(sessions);
  expect(await keysOf(store, "candidates/")).toEqual(["candidates/job/a", "candidates/job/host"]);
  expect(a.look("job")).toMatchObject({ holder: "a", alive: true });
  expect(sweptWithMarker(follower.changes, "dead")).toBe(true);
  await Promise.all([refused, a.resign("job")]);
  await follower.stop();
  await store.close();
});

/** Whether the commit that deleted a candidacy also wrote the marker by which nodes know that there is something to read. */
function sweptWithMarker(changes: readonly Change[], node: string): boolean {
  const keys = new Keys("test");
  const gone = changes.find(({ key, value }) => key === keys.candidate("job", node) && value === null);
  return changes.some(({ key, version }) => key === keys.changed && version === gone?.version);
}

/** The keys of the fleet's records that begin with `prefix`, in order. */
async function keysOf(store: Store, prefix: string): Promise<readonly string[]> {
  const { live } = new Keys("test");
  const { records } = await store.read(live, { timeoutMs: 2_000 });
  return records
    .map(({ key }) => key.slice(live.length))
    .filter((key) => key.startsWith(prefix))
    .sort();
}

/** The records of a process that is dead. */
async function leaveBehind(store: Store, node: string, addresses: string[]): Promise<void> {
  const keys = new Keys("test");
  const claim = { incarnation: `of ${node}` };
  const session = { ...claim, processId: node, heartbeat: 1, ttlMs: 500, wallMs: 0, host: "h" };
  const wish = {
    priority: 1,
    eligible: true,
    reason: "",
    lastResort: false,
    answers: false,
    spread: null,
    preempt: false,
    preemptDelayMs: 0,
    interface: null,
  };
  const writes = [
    { key: keys.session(node), value: encodeValue<SessionRecord>(session) },
    {
      key: keys.candidate("job", node),
      value: encodeValue<CandidateRecord>({ ...claim, ...wish, addresses, macs: [] }),
    },
  ];
  const result = await store.commit({ guards: [], writes }, { timeoutMs: 2_000 });
  expect(result.kind).toBe("committed");
}

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
  expect(seen).toContainEqual({ holder: "a", token, alive: true, seenAgoMs: expect.any(Number), self: false });
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

describe("work that does not settle after its signal", () => {
  const forever = (): Promise<never> => new Promise(() => {});

  test("costs its member the claim: others lead, other work is told, and its lead rejects", async () => {
    const warnings: string[] = [];
    const log = { info: () => {}, warn: (_fields: unknown, text: string) => void warnings.push(text) };
    const [a, b] = [await enter({ settleMs: 300, log }), await enter()];
    const stuck = a.lead("job", forever);
    const other = a.lead("other", async ({ signal }) => untilAborted(signal));
    const waiting = b.lead("waiting", async ({ signal }) => untilAborted(signal));
    await expect.poll(() => a.look("job")?.self === true && a.look("other")?.self === true).toBe(true);
    await expect.poll(() => b.look("waiting")?.self).toBe(true);
    const third = a.lead("waiting", () => "never");
    const order: string[] = [];
    const next = b.lead("job", () => order.push("b leads"));
    const told = Promise.all([
      expect(stuck).rejects.toMatchObject({ code: "lease-lost", context: { election: "job", reason: "work-stuck" } }),
      expect(other).rejects.toMatchObject({ code: "aborted" }),
      expect(third).rejects.toMatchObject({ code: "aborted" }),
    ]);
    await Promise.all([a.resign("job"), told]);
    await next;
    expect(order).toEqual(["b leads"]);
    expect(warnings).toEqual([
      "the work of job did not settle within 300 ms: this member has left the fleet without it",
    ]);
    await expect(a.lead("job", () => 1)).rejects.toMatchObject({ code: "aborted" });
    await Promise.all([expect(waiting).rejects.toMatchObject({ code: "aborted" }), b.resign("waiting")]);
  });

  test("keeps nobody from leaving", async () => {
    const a = await enter({ settleMs: 200 });
    const stuck = a.lead("job", forever, { again: true });
    await expect.poll(() => a.look("job")?.self).toBe(true);
    await Promise.all([expect(stuck).rejects.toMatchObject({ code: "lease-lost" }), a.leave()]);
  });

  test("and work that settles late, but in its time, costs nothing", async () => {
    const a = await enter({ settleMs: 2_000 });
    const late = a.lead("job", async ({ signal }) => {
      await untilAborted(signal);
      await sleep(50);
    });
    await expect.poll(() => a.look("job")?.self).toBe(true);
    await Promise.all([expect(late).rejects.toMatchObject({ code: "aborted" }), a.resign("job")]);
    await expect(a.lead("job", () => "again")).resolves.toBe("again");
  });
});

describe("callers without types", () => {
  const join = joinFleet as unknown as (options?: unknown) => Promise<unknown>;
  const store = "sqlite:/nowhere/fleet.db";

  test.each<[unknown, string, string]>([
    [undefined, "options", "options of joinFleet is missing: give an object with store, fleet"],
    ["sqlite:/x", "options", "options of joinFleet is of type string: give an object with store, fleet"],
    [{}, "store", "store is missing: give the URL of a store, such as sqlite:"],
    [{ store }, "fleet", "fleet is missing: give a string to joinFleet"],
    [{ store, fleet: "f", ttl: 3_000 }, "ttl", "ttl is no option of joinFleet: did you mean ttlMs?"],
    [{ store, fleet: "f", nodeId: "x" }, "nodeId", "nodeId is no option of joinFleet: did you mean node?"],
    [{ store, fleet: "f", ttlMs: "3s" }, "ttlMs", "ttlMs is of type string: give a number"],
    [{ store: 5, fleet: "f" }, "store", "store is of type number: give the URL of a store"],
    [{ store: {}, fleet: "f" }, "store", "store is of type object: give the URL of a store"],
    [{ store, fleet: ["f"] }, "fleet", "fleet is an array: give a string"],
    [{ store, fleet: "f", signal: {} }, "signal", "signal is of type object: give an AbortSignal"],
    [{ store, fleet: "f", log: () => {} }, "log", "log is of type function: give an object with info and warn"],
    [{ store, fleet: "f", settleMs: -1 }, "settleMs", "settleMs is -1: use a whole number of milliseconds"],
    [{ store, fleet: "f", settleMs: Infinity }, "settleMs", "settleMs is Infinity: use a whole number"],
    [JSON.parse(`{"store":"${store}","fleet":"f","__proto__":1}`), "__proto__", "__proto__ is no option of joinFleet"],
  ])("joinFleet(%j) names the option %s", async (options, key, told) => {
    await expect(join(options)).rejects.toMatchObject({
      code: "config",
      context: { key },
      message: expect.stringContaining(told),
    });
  });

  test("a lease that the store cannot keep is told with the store's name", async () => {
    await expect(enter({ ttlMs: 100 })).rejects.toThrow("ttlMs is 100: use 500 to 600000 (milliseconds) on sqlite");
  });

  test("lead names what is wrong with it", async () => {
    const a = await enter();
    const lead = a.lead.bind(a) as unknown as (...args: readonly unknown[]) => Promise<unknown>;
    await expect(lead("job")).rejects.toThrow("work is missing: give the function that leads");
    await expect(lead()).rejects.toThrow("election is missing: give 1 to 63 letters");
    await expect(lead("job", () => 1, { prio: 1 })).rejects.toThrow(
      "prio is no option of lead: did you mean priority?",
    );
    await expect(lead("job", () => 1, null)).rejects.toThrow("options of lead is missing");
    await expect(lead("job", () => 1, { priority: "1" })).rejects.toThrow("priority is of type string: give a number");
  });

  test("a token goes into JSON as text", async () => {
    const a = await enter();
    const token = await a.lead("job", (leadership) => leadership.token);
    expect(BigInt(JSON.parse(JSON.stringify(String(token))) as string)).toBe(token);
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
    await expect(a.lead("no/slash", () => 1)).rejects.toMatchObject({ code: "config" });
    for (const priority of [-1, 256, 1.5, Number.NaN])
      await expect(a.lead("job", () => 1, { priority })).rejects.toMatchObject({ code: "config" });
    const first = a.lead("job", async ({ signal }) => untilAborted(signal));
    await expect(a.lead("job", () => 2)).rejects.toMatchObject({ code: "config" });
    await Promise.all([expect(first).rejects.toThrow(/job/u), a.leave()]);
  });
});

// vipctl forget: a node that is gone leaves the store; one that lives does not.

import { expect, test } from "vitest";
import { openMemoryStore } from "../../servers/memory/index.ts";
import { storeFleet } from "../../../src/cli/store-fleet.ts";
import { Keys } from "../../../src/election/keys.ts";
import { sessionValue } from "../election/samples.ts";
import { settlePromises, VirtualTimers } from "../runtime/virtual-timers.ts";
import { Desk, STORE } from "./desk.ts";

const LIMITS = { timeoutMs: 1_000 };

test.each([
  [
    { kind: "forgotten", candidacies: 1 },
    0,
    "web9 is forgotten, with 1 candidacy; it joins anew when it starts again\n",
    "",
  ],
  [{ kind: "alive" }, 1, "", "web9 is alive: stop its vipd first\n"],
  [{ kind: "unknown" }, 2, "", "the store has nothing of a node web9: vipctl status names all\n"],
] as const)("%j: exit %d", async (found, code, out, err) => {
  const desk = new Desk();
  const fleet = desk.fleet();
  fleet.forgotten = found;
  expect(await desk.vipctl("forget", "web9", "--store", STORE)).toBe(code);
  expect([desk.out.text, desk.err.text]).toEqual([out, err]);
  expect(fleet.closed).toBe(1);
});

test("in a store: after a lease without a heartbeat, and not before; a heartbeat keeps it", async () => {
  const timers = new VirtualTimers();
  const store = openMemoryStore();
  const fleet = storeFleet(store, { fleet: "main", url: STORE }, timers);
  const key = new Keys("main").session("web9");
  const sendHeartbeat = async (heartbeat: number): Promise<unknown> =>
    store.commit({ guards: [], writes: [{ key, value: sessionValue({ heartbeat, ttlMs: 3_000 }) }] }, LIMITS);
  const stands = async (): Promise<boolean> => (await store.read(key, LIMITS)).records.length > 0;
  const run = async (meanwhile: () => Promise<unknown>): Promise<unknown> => {
    const done = fleet.forget("web9", new AbortController().signal);
    await settlePromises();
    await timers.advance(2_900);
    expect(await stands()).toBe(true);
    await meanwhile();
    await timers.advance(200);
    return done;
  };
  await sendHeartbeat(1);
  expect(await run(() => sendHeartbeat(2))).toEqual({ kind: "alive" });
  expect(await run(async () => {})).toEqual({ kind: "forgotten", candidacies: 0 });
  expect(await stands()).toBe(false);
  await fleet.close();
});

test("an interrupt while it waits changes nothing", async () => {
  const store = openMemoryStore();
  const fleet = storeFleet(store, { fleet: "main", url: STORE }, new VirtualTimers());
  await store.commit(
    { guards: [], writes: [{ key: new Keys("main").session("web9"), value: sessionValue() }] },
    LIMITS,
  );
  const interrupt = new AbortController();
  const done = fleet.forget("web9", interrupt.signal);
  await settlePromises();
  interrupt.abort();
  await expect(done).rejects.toMatchObject({ code: "aborted" });
  expect((await store.read("", LIMITS)).records).toHaveLength(1);
});

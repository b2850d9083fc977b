// A fleet read straight from its store: an unused one is empty, a hanging one is out of reach, a watch looks again.

import { expect, test } from "vitest";
import { openMemoryStore } from "../../servers/memory/index.ts";
import { VipdError } from "../../../src/base/errors.ts";
import type { FleetReader } from "../../../src/cli/deps.ts";
import { storeFleet } from "../../../src/cli/store-fleet.ts";
import { Keys } from "../../../src/election/keys.ts";
import type { Store } from "../../../src/ports/store.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";

const URL_WITH_SECRET = "redis://user:hunter2@10.0.0.5:6379";
const LIMITS = { timeoutMs: 1_000 };

function readerOf(store: Store, timers = new VirtualTimers()): FleetReader {
  return storeFleet(store, { fleet: "main", url: URL_WITH_SECRET }, timers);
}

/** The next view; fails when the watch has ended. */
async function nextOf<T>(views: AsyncIterator<T>): Promise<T> {
  const { done, value } = await views.next();
  if (done === true) throw new Error("the watch has ended");
  return value;
}

test("a store that nobody has used holds an empty fleet; its URL is shown without its secrets", async () => {
  const reader = readerOf(openMemoryStore());
  const view = await reader.read(new AbortController().signal);
  expect(view).toMatchObject({ fleet: "main", elections: [], nodes: [], store: { ok: true, lastError: null } });
  expect(JSON.stringify(view)).not.toContain("hunter2");
  expect(await reader.history("web", new AbortController().signal)).toEqual([]);
  await reader.close();
});

test("a record that does not parse is told, and left alone", async () => {
  const store = openMemoryStore();
  const reader = readerOf(store);
  await store.commit({ guards: [], writes: [{ key: new Keys("main").session("web1"), value: "{" }] }, LIMITS);
  const before = await store.read("", LIMITS);
  const { warnings } = await reader.read(new AbortController().signal);
  expect(warnings).toEqual([
    "the record /vipd/main/live/fleet/sessions/web1 in the store cannot be read: it is left alone",
  ]);
  expect((await store.read("", LIMITS)).records).toEqual(before.records);
});

test("a store that does not answer in time is one that is out of reach", async () => {
  const store = openMemoryStore();
  const hanging: Store = {
    ...store,
    guarantees: store.guarantees,
    read: () => Promise.reject(new VipdError("timeout", "no answer within 2000 ms")),
  };
  await expect(readerOf(hanging).read(new AbortController().signal)).rejects.toMatchObject({
    code: "store-unavailable",
    message: "the store does not answer: no answer within 2000 ms",
  });
});

test("a watch looks again after a second, for ages grow without any change", async () => {
  const timers = new VirtualTimers();
  const user = new AbortController();
  const store = openMemoryStore();
  const views = readerOf(store, timers).watch(user.signal)[Symbol.asyncIterator]();
  await nextOf(views);
  let looked = false;
  const look = async (): Promise<void> => {
    await nextOf(views);
    looked = true;
  };
  const next = look();
  await timers.advance(999);
  expect(looked).toBe(false);
  await timers.advance(1);
  await next;
  const last = views.next();
  user.abort();
  expect(await last).toMatchObject({ done: true });
  expect(timers.waiting, "no timer is left").toBe(0);
});

// What a node that is gone for good left is removed, so that status does not name it, and its VIPs, for ever.

import { expect, test } from "vitest";
import { MAX_TTL_MS } from "../../../src/base/bounds.ts";
import { forgetting, type Remains, remainsOf } from "../../../src/election/forget.ts";
import { Mirror } from "../../../src/election/mirror.ts";
import { survey } from "../../../src/election/survey.ts";
import { Fleet } from "./fleet.ts";
import { candidacy, KEYS, TTL_MS } from "./samples.ts";

function remains(fleet: Fleet, node: string): Remains | undefined {
  const mirror = new Mirror(KEYS, fleet.now);
  mirror.applySnapshot(fleet.backend.read(KEYS.live), "all", fleet.now);
  return remainsOf(mirror, node);
}

/** "a" runs, "b" died; "b" alone wanted `mail`. */
function withDead(): Fleet {
  const fleet = new Fleet();
  fleet.start("a");
  const b = fleet.start("b");
  fleet.advance(TTL_MS);
  b.wish(candidacy(), "mail");
  fleet.advance(TTL_MS);
  fleet.kill(b);
  fleet.advance(5 * TTL_MS);
  return fleet;
}

test("a dead node's VIPs and the node itself are in nobody's status any more", () => {
  const fleet = withDead();
  const [a] = fleet.nodes;
  const named = (): readonly string[] => {
    const found =
      a === undefined ? undefined : survey({ mirror: a.state.mirror, keys: KEYS, ttlMs: TTL_MS }, fleet.now);
    return [...(found?.elections.map(({ name }) => name) ?? []), ...(found?.nodes.map(({ node }) => node) ?? [])];
  };
  expect(named()).toEqual(["mail", "web", "a", "b"]);
  const left = remains(fleet, "b");
  expect(left?.elections.toSorted()).toEqual(["mail", "web"]);
  expect(left?.waitMs).toBeGreaterThan(TTL_MS);
  for (const txn of forgetting(KEYS, "b", left ?? NOTHING)) expect(fleet.write(txn)).toBe(true);
  fleet.advance(100);
  expect(named()).toEqual(["web", "a"]);
  expect(remains(fleet, "b")).toBeUndefined();
  expect(a?.holds).toBe(true);
});

test("a node that has sent a heartbeat since is not forgotten", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(TTL_MS);
  const left = remains(fleet, "a");
  fleet.untilHeartbeat(a);
  for (const txn of forgetting(KEYS, "a", left ?? NOTHING)) expect(fleet.write(txn)).toBe(false);
  fleet.advance(5 * TTL_MS);
  expect(a.holds).toBe(true);
});

test("thousands of candidacies go in several commits, the later ones only while the node stays away", () => {
  const elections = Array.from({ length: 300 }, (_, i) => `vip-${i}`);
  const txns = forgetting(KEYS, "b", { session: 7n, elections, waitMs: 0 });
  expect(txns).toHaveLength(3);
  expect(txns.map(({ guards }) => guards)).toEqual(
    [7n, null, null].map((version) => [{ key: KEYS.session("b"), version }]),
  );
  expect(Math.max(...txns.map(({ writes }) => writes.length))).toBeLessThanOrEqual(120);
});

test("a session that cannot be read is waited for as long as any lease may be", () => {
  const fleet = new Fleet();
  fleet.put(KEYS.session("b"), "{");
  expect(remains(fleet, "b")?.waitMs).toBeGreaterThan(MAX_TTL_MS);
  expect(remains(fleet, "nobody")).toBeUndefined();
});

const NOTHING: Remains = { session: null, elections: [], waitMs: 0 };

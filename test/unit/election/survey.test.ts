// The fleet as people are shown it.

import { expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { later } from "../../../src/base/time.ts";
import { survey, type Survey, surveyNode } from "../../../src/election/survey.ts";
import { Fleet } from "./fleet.ts";
import { type Node, WALL_AHEAD_MS } from "./node.ts";
import {
  candidacy,
  candidateValue,
  ELECTION,
  ELECTION_KEY,
  electionValue,
  ineligible,
  KEYS,
  sessionValue,
  TTL_MS,
} from "./samples.ts";

function view(node: Node, fleet: Fleet): Survey {
  const { mirror, keys } = node.state;
  return survey({ mirror, keys, ttlMs: TTL_MS }, fleet.now);
}

test("a survey shows who holds, since when and why, and who else could", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", candidacy({ addresses: ["10.0.0.1/24"], interface: "eth0" }));
  const startedAt = fleet.now;
  fleet.advance(1_000);
  fleet.start("b", candidacy({ priority: 120, preempt: false }));
  fleet.start("c", ineligible("http"));
  fleet.advance(5_000);
  const { nodes, elections, unreadable, collisions } = view(a, fleet);
  expect(nodes.map(({ node, alive, host, ttlMs }) => [node, alive, host, ttlMs])).toEqual([
    ["a", true, "host-of-a", TTL_MS],
    ["b", true, "host-of-b", TTL_MS],
    ["c", true, "host-of-c", TTL_MS],
  ]);
  expect(elections).toHaveLength(1);
  expect(elections[0]).toMatchObject({
    name: ELECTION,
    holder: "a",
    token: fleet.record?.version,
    sinceWallMs: WALL_AHEAD_MS + startedAt,
    reason: reason("first-holder"),
  });
  expect(elections[0]?.candidates).toMatchObject([
    { node: "b", eligible: true, priority: 120, addresses: [], interface: null },
    { node: "a", addresses: ["10.0.0.1/24"], interface: "eth0" },
    { node: "c", eligible: false, reason: reason("check-failed", "http").text },
  ]);
  expect([unreadable, collisions]).toEqual([[], []]);
});

test("a survey shows dead nodes as dead, and an election whose holder's session has ended as free", () => {
  const fleet = new Fleet();
  const [a, b] = [fleet.start("a"), fleet.start("b", ineligible())];
  fleet.advance(5_000);
  fleet.kill(a);
  fleet.advance(2 * TTL_MS);
  expect(view(b, fleet).nodes.map(({ node, alive }) => [node, alive])).toEqual([
    ["a", false],
    ["b", true],
  ]);
  expect(view(b, fleet).elections[0], "nobody has broken the lease yet").toMatchObject({ holder: "a" });
  expect(view(b, fleet).elections[0]?.candidates.map(({ node, alive }) => [node, alive])).toEqual([
    ["a", false],
    ["b", true],
  ]);
  fleet.put(KEYS.session("a"), null);
  fleet.advance(10);
  expect(view(b, fleet).elections[0]).toMatchObject({ holder: null, token: null, reason: reason("holder-left", "a") });
});

test("a survey tells of a free election why it became free", () => {
  const fleet = new Fleet();
  const [a, b] = [fleet.start("a"), fleet.start("b", ineligible())];
  fleet.advance(5_000);
  a.post({ type: "stop" });
  fleet.advance(10);
  expect(view(b, fleet).elections[0]).toMatchObject({ holder: null, reason: reason("shutdown") });
});

test("a survey leaves out elections that nobody holds and nobody wants", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", null);
  fleet.put(ELECTION_KEY, electionValue());
  fleet.advance(10);
  expect(view(a, fleet).elections).toEqual([]);
});

test("a candidacy of an earlier process is not alive, though its node is", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", null);
  const b = fleet.start("b");
  fleet.advance(1_000);
  a.watching = false;
  a.commitLink = "refused";
  fleet.put(KEYS.candidate(ELECTION, "a"), candidateValue({ incarnation: "earlier" }));
  fleet.advance(10);
  const candidates = view(b, fleet).elections[0]?.candidates ?? [];
  expect(candidates.find(({ node }) => node === "a")).toMatchObject({ alive: false });
});

test("records that do not parse are named, and shown as what they are", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", null);
  const key = KEYS.election("broken");
  fleet.put(key, "{");
  fleet.put(KEYS.session("x"), "{");
  fleet.advance(10);
  const { nodes, elections, unreadable } = view(a, fleet);
  expect(unreadable).toEqual([key, KEYS.session("x")]);
  expect(elections).toMatchObject([{ name: "broken", holder: null, token: null, reason: reason("unreadable") }]);
  expect(nodes.map(({ node }) => node)).toEqual(["a"]);
});

test("an election whose holder's session does not parse is shown as held: nobody may take it yet", () => {
  const fleet = new Fleet();
  const [a, b] = [fleet.start("a"), fleet.start("b", ineligible())];
  fleet.advance(1_000);
  fleet.kill(a);
  fleet.put(KEYS.session("a"), "{");
  fleet.advance(10);
  expect(view(b, fleet).elections[0]).toMatchObject({ holder: "a", token: fleet.record?.version });
});

test("a node is shown with the age and the version of its last heartbeat, and not at all without a session", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", null);
  fleet.put(KEYS.session("x"), sessionValue({ ttlMs: 500, wallMs: 7, host: "hx" }));
  fleet.advance(10);
  const { mirror } = a.state;
  const version = fleet.session("x")?.version;
  const seenAgoMs = fleet.now - (mirror.sessions.get("x")?.seenAt ?? 0);
  const shown = { node: "x", host: "hx", alive: true, ttlMs: 500, seenAgoMs, heartbeatWallMs: 7, version };
  expect(surveyNode(mirror, "x", fleet.now)).toEqual(shown);
  expect(surveyNode(mirror, "x", later(fleet.now, 600))).toEqual({
    ...shown,
    alive: false,
    seenAgoMs: seenAgoMs + 600,
  });
  expect(surveyNode(mirror, "nobody", fleet.now)).toBeUndefined();
});

test("two elections that claim one address are told", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", candidacy({ addresses: ["10.0.0.1/24"] }));
  fleet.advance(100);
  const b = fleet.start("b", null);
  b.wish(candidacy({ addresses: ["10.0.0.1/16"] }), "db");
  fleet.advance(100);
  expect(view(a, fleet).collisions).toEqual([
    "10.0.0.1 is configured under 2 names: web on a; db on b; only the holder of web answers for it",
  ]);
});

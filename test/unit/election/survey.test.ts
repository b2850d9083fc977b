import { expect, test } from "vitest";
import { survey } from "../../../src/election/survey.ts";
import { candidacy, ELECTION, Fleet, type Node, TTL_MS } from "./fleet.ts";

function view(node: Node, fleet: Fleet): ReturnType<typeof survey> {
  return survey(node.state.mirror, node.state.keys, TTL_MS, fleet.now);
}

test("a survey shows who holds, since when and why, and who else could", () => {
  const fleet = new Fleet();
  const a = fleet.start("a");
  fleet.advance(1_000);
  fleet.start("b", candidacy({ priority: 120, preempt: false }));
  fleet.start("c", candidacy({ eligible: false, reason: "check failed" }));
  fleet.advance(5_000);
  const { nodes, elections, unreadable } = view(a, fleet);
  expect(nodes.map(({ node, alive }) => [node, alive])).toEqual([
    ["a", true],
    ["b", true],
    ["c", true],
  ]);
  expect(elections).toHaveLength(1);
  expect(elections[0]).toMatchObject({
    name: ELECTION,
    holder: "a",
    token: fleet.record?.version,
    reason: "never held",
  });
  expect(elections[0]?.candidates).toMatchObject([
    { node: "b", eligible: true },
    { node: "a" },
    { node: "c", eligible: false, reason: "check failed" },
  ]);
  expect(unreadable).toEqual([]);
});

test("a survey shows the dead as dead, and a record whose holder is gone as free", () => {
  const fleet = new Fleet();
  const [a, b] = [fleet.start("a"), fleet.start("b", candidacy({ eligible: false }))];
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
  fleet.put("/vipd/f/live/sessions/a", null);
  fleet.advance(10);
  expect(view(b, fleet).elections[0]).toMatchObject({ holder: null, token: null, reason: "a is gone" });
});

test("a candidacy of an earlier process is not alive, though its node is", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", null);
  const b = fleet.start("b");
  fleet.advance(1_000);
  const key = `/vipd/f/live/candidates/${ELECTION}/a`;
  a.watching = false;
  a.commitLink = "refuses";
  fleet.put(key, { format: 1, ...candidacy(), incarnation: "earlier" });
  fleet.advance(10);
  const candidates = view(b, fleet).elections[0]?.candidates ?? [];
  expect(candidates.find(({ node }) => node === "a")).toMatchObject({ alive: false });
});

test("records that do not parse are named", () => {
  const fleet = new Fleet();
  const a = fleet.start("a", null);
  fleet.put("/vipd/f/live/elections/broken", "{");
  fleet.advance(10);
  const { elections, unreadable } = view(a, fleet);
  expect(unreadable).toEqual(["/vipd/f/live/elections/broken"]);
  expect(elections).toMatchObject([{ name: "broken", holder: null, reason: "its record does not parse" }]);
});

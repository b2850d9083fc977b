// Ownership changes of others, in the words of a node that has no part in them.

import { describe, expect, test } from "vitest";
import { Fleet } from "./fleet.ts";
import type { Node } from "./node.ts";
import { candidacy } from "./samples.ts";

/** "a" holds, "b" is next, and "c" looks on. */
function three(): { fleet: Fleet; a: Node; b: Node; c: Node } {
  const fleet = new Fleet();
  const a = fleet.start("a", candidacy({ priority: 200, preempt: false }));
  const b = fleet.start("b", candidacy({ priority: 150, preempt: false }));
  const c = fleet.start("c", candidacy({ priority: 100, preempt: false }));
  fleet.advance(10_000);
  expect(a.holds).toBe(true);
  return { fleet, a, b, c };
}

const ownersIn = ({ notes }: Node): readonly string[] => notes.filter((note) => /until then/u.test(note));

describe("a node that looks on tells", () => {
  test("who holds it now, under which token, who did before, for how long, and why it moved", () => {
    const { fleet, a, b, c } = three();
    fleet.kill(a);
    fleet.until(() => b.holds);
    fleet.advance(100);
    expect(ownersIn(c)).toEqual([
      expect.stringMatching(
        new RegExp(
          `^b is the holder \\(MASTER\\) now, token ${b.tokens[0]}, held by a for \\d+\\.\\d s until then: a sent no heartbeat for its whole lease$`,
          "u",
        ),
      ),
    ]);
    expect(ownersIn(b), "its own gain is told by its host").toEqual([]);
  });

  test("that nobody holds it, and for how long that was so", () => {
    const { fleet, a, b, c } = three();
    for (const node of [b, c]) node.wish(candidacy({ ineligible: { code: "check-failed", text: "check failed: x" } }));
    fleet.advance(100);
    a.wish(null);
    fleet.advance(2_000);
    b.wish(candidacy());
    fleet.until(() => b.holds);
    fleet.advance(100);
    expect(ownersIn(c)).toEqual([
      expect.stringMatching(/^nobody holds it now, held by a for \d+\.\d s until then: .+/u),
      expect.stringMatching(/^b is the holder \(MASTER\) now, token \d+, free for [12]\.\d s until then: .+/u),
    ]);
  });

  test("nothing when it first sees it, nor when nothing changes", () => {
    const { fleet, c } = three();
    fleet.advance(30_000);
    expect(ownersIn(c)).toEqual([]);
    const d = fleet.start("d", candidacy({ priority: 1 }));
    fleet.advance(5_000);
    expect(ownersIn(d)).toEqual([]);
  });
});

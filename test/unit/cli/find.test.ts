// What people call a VIP.

import { expect, test } from "vitest";
import { findElection, notFound } from "../../../src/cli/find.ts";
import { electionView, fleetView } from "../admin/views.ts";

test.each(["web", "10.0.0.10", "10.0.0.10/24", "10.0.0.10/8", "2001:db8::10", "2001:DB8:0:0::10", "2001:db8::10/64"])(
  "%s is web",
  (what) => {
    expect(findElection(fleetView(), what)?.name).toBe("web");
  },
);

test.each(["WEB", "we", "", "10.0.0.1", "10.0.0.1/24", "10.0.0.10.", "2001:db8::1", "/24"])("%s is nothing", (what) => {
  expect(findElection(fleetView(), what)).toBeUndefined();
});

test("a name goes before an address", () => {
  const elections = [electionView(), electionView({ name: "10.0.0.10", addresses: [] })];
  expect(findElection(fleetView({ elections }), "10.0.0.10")?.addresses).toEqual([]);
});

test("who finds nothing is told what there is, but not everything of a large fleet", () => {
  expect(notFound(fleetView(), "nope")).toBe('no VIP or election "nope" in the fleet main: there is web, db');
  expect(notFound(fleetView({ elections: [] }), "nope")).toContain("the fleet has none yet");
  const many = Array.from({ length: 100 }, (_, i) => electionView({ name: `v${i}` }));
  expect(notFound(fleetView({ elections: many }), "nope")).toMatch(/v19, \.\.\.$/u);
});

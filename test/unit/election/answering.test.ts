// A host that has an address of the election as its own answers for it, whatever vipd does: then nobody holds it.

import { expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { Fleet } from "./fleet.ts";
import { candidacy, TTL_MS } from "./samples.ts";

const ADDRESSES = ["10.0.0.1/24"];
const WISH = candidacy({ addresses: ADDRESSES });
const ANSWERS = candidacy({ addresses: ADDRESSES, ineligible: reason("own-address", "10.0.0.1 is its own") });
const BOUND = candidacy({ addresses: ADDRESSES, ineligible: reason("foreign-address", "10.0.0.1 was bound") });

test("nobody takes it while that node is alive; when it has gone, or its host has the address no more, somebody does", () => {
  const fleet = new Fleet();
  const x = fleet.start("x", ANSWERS);
  const [a, b] = [fleet.start("a", WISH), fleet.start("b", WISH)];
  fleet.advance(10 * TTL_MS);
  expect([a.tokens, b.tokens]).toEqual([[], []]);
  x.wish(WISH);
  fleet.until(() => a.holds || b.holds || x.holds, TTL_MS);

  x.wish(ANSWERS);
  fleet.until(() => a.held + b.held + x.held === 0, TTL_MS);
  fleet.kill(x);
  fleet.until(() => a.holds || b.holds, 2 * TTL_MS + 500);
});

test("who holds it gives it up to nobody, and tells why", () => {
  const fleet = new Fleet();
  const [a, b] = [fleet.start("a", WISH), fleet.start("b", WISH)];
  fleet.advance(3 * TTL_MS);
  expect(a.held + b.held).toBe(1);
  fleet.start("x", ANSWERS);
  fleet.advance(5 * TTL_MS);
  expect(a.held + b.held).toBe(0);
  expect(fleet.record?.holder).toBeNull();
  expect(fleet.record?.reason).toMatchObject({ code: "address-claimed", text: expect.stringContaining("x has") });
});

test("an address that is bound somewhere behind a fence keeps nobody from it", () => {
  const fleet = new Fleet();
  fleet.start("x", BOUND);
  const a = fleet.start("a", WISH);
  fleet.until(() => a.holds, 3 * TTL_MS);
});

test("as a last resort nobody holds it either", () => {
  const fleet = new Fleet();
  fleet.start("x", ANSWERS);
  const sick = { ...WISH, ineligible: reason("check-failed", "nginx"), lastResort: true };
  const a = fleet.start("a", sick);
  fleet.advance(10 * TTL_MS);
  expect(a.tokens).toEqual([]);
});

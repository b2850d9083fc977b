// The index of which elections claim an address, and through which nodes.

import { expect, test } from "vitest";
import { Claims, ipOf } from "../../../src/election/claims.ts";

test.each([
  ["10.0.0.1/24", "10.0.0.1"],
  ["10.0.0.1", "10.0.0.1"],
  ["fd00::1/64", "fd00::1"],
])("the address of %s is %s", (cidr, ip) => {
  expect(ipOf(cidr)).toBe(ip);
});

test("an address belongs to the elections whose candidates claim it, whatever the prefix length", () => {
  const claims = new Claims();
  claims.replace("web", "a", [], ["10.0.0.1/24", "10.0.0.2/24"]);
  claims.replace("db", "b", [], ["10.0.0.1/32"]);
  expect([...claims.electionsOf("10.0.0.1")]).toEqual(["web", "db"]);
  expect([...claims.electionsOf("10.0.0.2")]).toEqual(["web"]);
  expect([...claims.electionsOf("10.0.0.3")]).toEqual([]);
  expect([...claims.nodesOf("10.0.0.1", "db")]).toEqual(["b"]);
  expect([...claims.nodesOf("10.0.0.1", "other")]).toEqual([]);
  expect([...claims.contested]).toEqual(["10.0.0.1"]);
});

test("a change of one candidacy tells which elections it bears on: those of the old addresses, and of the new ones", () => {
  const claims = new Claims();
  claims.replace("web", "a", [], ["10.0.0.1/24"]);
  claims.replace("db", "b", [], ["10.0.0.2/24"]);
  expect([...claims.replace("web", "a", ["10.0.0.1/24"], ["10.0.0.2/24"])].sort()).toEqual(["db", "web"]);
  expect([...claims.replace("web", "a", ["10.0.0.2/24"], [])].sort()).toEqual(["db", "web"]);
  expect([...claims.replace("web", "a", [], ["10.0.0.3/24"])], "its own, and nobody else's").toEqual(["web"]);
  expect([...claims.replace("new", "c", [], ["10.0.0.3/24"])].sort()).toEqual(["new", "web"]);
});

test("an election claims an address until the last of its candidates gives it up", () => {
  const claims = new Claims();
  claims.replace("web", "a", [], ["10.0.0.1/24"]);
  claims.replace("web", "b", [], ["10.0.0.1/24"]);
  claims.replace("db", "c", [], ["10.0.0.1/24"]);
  claims.replace("web", "a", ["10.0.0.1/24"], []);
  expect([...claims.contested]).toEqual(["10.0.0.1"]);
  claims.replace("web", "b", ["10.0.0.1/24"], []);
  expect([...claims.contested]).toEqual([]);
  claims.replace("db", "c", ["10.0.0.1/24"], []);
  expect([...claims.electionsOf("10.0.0.1")]).toEqual([]);
});

test("a candidacy that keeps an address, with another prefix length, still claims it", () => {
  const claims = new Claims();
  claims.replace("web", "a", [], ["10.0.0.1/24"]);
  claims.replace("web", "a", ["10.0.0.1/24"], ["10.0.0.1/16"]);
  expect([...claims.nodesOf("10.0.0.1", "web")]).toEqual(["a"]);
  claims.clear();
  expect([...claims.electionsOf("10.0.0.1")]).toEqual([]);
});

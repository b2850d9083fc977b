// What differs between two configurations, and what of it needs a restart.

import { expect, test } from "vitest";
import { describeDifference } from "../../../src/config/difference.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import type { Config } from "../../../src/config/types.ts";
import { STORE_ADAPTERS } from "../../../src/stores/index.ts";

function parse(top: string, vips: readonly string[]): Config {
  const result = parseConfig(`${top}\nvips: {${vips.join(", ")}}`, "f", { hostName: "h", stores: STORE_ADAPTERS });
  if (result.kind === "issues") throw new Error(JSON.stringify(result.issues));
  return result.config;
}

const TOP = "store: sqlite:/s.db";
const A = "a: {interface: eth0, addresses: [10.0.0.1/24]}";
const B = "b: {interface: eth0, addresses: [10.0.0.2/24]}";

test("the same file differs in nothing", () => {
  expect(describeDifference(parse(TOP, [A, B]), parse(TOP, [B, A])).none).toBe(true);
});

test("VIPs that come, go and change are applied", () => {
  const changed = "b: {interface: eth0, addresses: [10.0.0.3/24], priority: 7, announce: {burst: 2}}";
  const difference = describeDifference(
    parse(TOP, [A, B]),
    parse(`${TOP}\nlog: {level: debug}`, [changed, A.replace("a:", "c:")]),
  );
  expect(difference.vips.added.map((vip) => vip.name)).toEqual(["c"]);
  expect(difference.vips.removed.map((vip) => vip.name)).toEqual(["a"]);
  expect(difference.vips.changed).toMatchObject([{ name: "b", fields: ["addresses", "priority", "announce"] }]);
  expect(difference).toMatchObject({ logLevel: "debug", needsRestart: [], none: false });
});

test("what the daemon is built on needs a restart", () => {
  const other =
    "node: n\nfleet: f\nstore: sqlite:/t.db\nttl: 5s\nstateDir: /t\nfence: inet\nadmin: {socket: /t.sock}\nlog: {format: json}";
  const difference = describeDifference(parse(TOP, [A]), parse(other, [A]));
  expect(difference.needsRestart.map((reason) => reason.path)).toEqual([
    "node",
    "fleet",
    "store",
    "ttl",
    "stateDir",
    "admin.socket",
    "log.format",
    "fence",
  ]);
  expect(difference.needsRestart[3]).toEqual({ path: "ttl", from: "3000ms", to: "5000ms" });
});

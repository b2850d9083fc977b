// Wire and store: who-owns --verify on what the wire says.

import { expect, test } from "vitest";
import { VipdError } from "../../../src/base/errors.ts";
import { electionView, fleetView, statusView } from "../admin/views.ts";
import type { WireReport } from "../../../src/cli/deps.ts";
import { Desk } from "./desk.ts";

const IP = "10.0.0.10";
const MAC_A = "02:00:00:00:00:0a";
const MAC_B = "02:00:00:00:00:0b";

const from = (...macs: readonly string[]): WireReport["answers"] => macs.map((mac) => ({ ip: IP, mac }));

/** Runs who-owns --verify at a daemon called `node`, of a VIP that `holder` holds, on this report. */
async function verify(holder: string | null, report: WireReport, node = "web9"): Promise<readonly [number, string]> {
  const desk = new Desk();
  const election = electionView({ addresses: [`${IP}/24`], holder, holderAlive: holder === null ? null : true });
  desk.daemon().view = statusView({ elections: [election], node });
  desk.wire = report;
  const code = await desk.vipctl("who-owns", "web", "--verify");
  return [code, desk.out.lines.findLast((line) => line.startsWith("wire: ")) ?? desk.err.text];
}

const CASES: readonly (readonly [
  what: string,
  holder: string | null,
  report: WireReport,
  node: string,
  code: number,
  text: string,
])[] = [
  ["held, and one answers", "web1", { answers: from(MAC_A), boundHere: [] }, "web9", 0, `${MAC_A} alone answers`],
  ["held, and one answers twice", "web1", { answers: from(MAC_A, MAC_A), boundHere: [] }, "web9", 0, "alone answers"],
  ["held here, and bound here", "web9", { answers: [], boundHere: [IP] }, "web9", 0, "this host has 10.0.0.10, and"],
  ["held, and nobody answers", "web1", { answers: [], boundHere: [] }, "web9", 4, "says that web1 holds it"],
  ["two answer", "web1", { answers: from(MAC_B, MAC_A), boundHere: [] }, "web9", 4, `${MAC_A} and ${MAC_B} have`],
  ["held there, and bound here too", "web1", { answers: from(MAC_A), boundHere: [IP] }, "web9", 4, "at the same time"],
  ["held there, but bound here", "web1", { answers: [], boundHere: [IP] }, "web9", 4, "this host has 10.0.0.10, but"],
  ["held here, but another answers", "web9", { answers: from(MAC_A), boundHere: [] }, "web9", 4, "this host holds it"],
  ["free, but somebody answers", null, { answers: from(MAC_A), boundHere: [] }, "web9", 4, "says that it is free"],
  ["free, but bound here", null, { answers: [], boundHere: [IP] }, "web9", 4, "this host has 10.0.0.10, but"],
  ["free, and nobody answers", null, { answers: [], boundHere: [] }, "web9", 1, "nobody answers for 10.0.0.10, as"],
];

test.each(CASES)("%s", async (_what, holder, report, node, code, text) => {
  const [exit, line] = await verify(holder, report, node);
  expect(line).toContain(text);
  expect(exit).toBe(code);
});

test("answers for other addresses do not count; each address is judged alone", async () => {
  const desk = new Desk();
  desk.daemon();
  desk.wire = {
    answers: [
      { ip: IP, mac: MAC_A },
      { ip: "10.0.0.99", mac: MAC_B },
    ],
    boundHere: [],
  };
  expect(await desk.vipctl("who-owns", "web", "--verify", "--json")).toBe(4);
  expect(desk.probed).toEqual([
    { family: 4, ip: IP, prefix: 24, interface: "eth0" },
    { family: 6, ip: "2001:db8::10", prefix: 64, interface: "eth0" },
  ]);
  expect(desk.out.json).toMatchObject({
    wire: {
      agrees: false,
      findings: [
        // The daemon is web1's, which holds it: another host must not answer.
        { ip: IP, agrees: false, answeredBy: [MAC_A], boundHere: false },
        { ip: "2001:db8::10", agrees: false, answeredBy: [], boundHere: false },
      ],
    },
  });
});

test("from the store nobody knows which node this host is: bound here alone agrees", async () => {
  const desk = new Desk();
  desk.fleet().view = fleetView({ elections: [electionView({ addresses: [`${IP}/24`] })] });
  desk.wire = { answers: [], boundHere: [IP] };
  expect(await desk.vipctl("who-owns", "web", "--verify", "--store", "sqlite:/var/lib/vipd/fleet.db")).toBe(0);
});

test("an election without an address cannot be asked for: exit 69", async () => {
  const desk = new Desk();
  desk.daemon().view = statusView({ elections: [electionView({ addresses: [], interface: null })] });
  expect(await desk.vipctl("who-owns", "web", "--verify")).toBe(69);
  expect(desk.err.text).toBe("vipctl: web has no address that could be asked for on the wire\n");
  expect(desk.probed).toEqual([]);
});

test("without the privilege: exit 77, and the message names it", async () => {
  const desk = new Desk();
  desk.daemon();
  desk.wire = new VipdError("privilege", "CAP_NET_RAW is missing", { capability: "CAP_NET_RAW" });
  expect(await desk.vipctl("who-owns", "web", "--verify")).toBe(77);
  expect(desk.err.text).toBe("vipctl: CAP_NET_RAW is missing\n");
});

// The ARP settings of interfaces under a real server: raised where they are too low, put back when nobody needs them.

import { expect, test } from "vitest";
import type { ArpSettingsOfLink, RealServer } from "../../../src/ports/real-server.ts";
import type { KeptSetting } from "../../../src/realserver/record.ts";
import { linksInNeed, raise, restore } from "../../../src/realserver/settings.ts";

type Links = Readonly<Record<string, readonly [index: number, arpIgnore: number, arpAnnounce: number]>>;

function reader(links: Links) {
  return (link: string | number): ArpSettingsOfLink | undefined => {
    const [name, found] = Object.entries(links).find(([name, [index]]) => name === link || index === link) ?? [];
    if (name === undefined || found === undefined) return undefined;
    const [index, arpIgnore, arpAnnounce] = found;
    return { index, name, values: { arpIgnore, arpAnnounce } };
  };
}

const IGNORE: KeptSetting = { interface: "eth0", index: 2, setting: "arpIgnore", before: 0, set: 1 };
const ANNOUNCE: KeptSetting = { interface: "eth0", index: 2, setting: "arpAnnounce", before: 1, set: 2 };

/** What is written, as `eth0 arpIgnore 1`. */
function written({ writes }: ReturnType<typeof raise>): readonly string[] {
  return writes.map((write) => `${write.interface} ${write.setting} ${write.value}`);
}

test("only interfaces of real servers with an IPv4 address need them", () => {
  const server = (interfaces: readonly string[], ...families: readonly (4 | 6)[]): RealServer => ({
    name: interfaces.join(),
    interfaces,
    addresses: families.map((family) => ({ family, ip: family === 4 ? "10.0.0.50" : "2001:db8::50" })),
  });
  const servers = [server(["eth0"], 4), server(["eth1"], 6), server(["eth0", "eth2"], 6, 4)];
  expect(linksInNeed(servers)).toEqual(["eth0", "eth2"]);
});

test.each<
  [what: string, links: Links, kept: readonly KeptSetting[], writes: readonly string[], after: readonly KeptSetting[]]
>([
  ["both too low", { eth0: [2, 0, 1] }, [], ["eth0 arpIgnore 1", "eth0 arpAnnounce 2"], [IGNORE, ANNOUNCE]],
  ["greater ones stay", { eth0: [2, 8, 2] }, [], [], []],
  [
    "lowered again: what was before the first time is kept",
    { eth0: [2, 0, 2] },
    [IGNORE],
    ["eth0 arpIgnore 1"],
    [IGNORE],
  ],
  ["an interface that is missing", {}, [], [], []],
  [
    "an interface that was renamed, and another one has its name",
    { eth0: [9, 0, 2], lan0: [2, 1, 2] },
    [IGNORE],
    ["eth0 arpIgnore 1"],
    [IGNORE, { ...IGNORE, index: 9 }],
  ],
  [
    "an interface that was made anew",
    { eth0: [9, 0, 0] },
    [IGNORE],
    ["eth0 arpIgnore 1", "eth0 arpAnnounce 2"],
    [
      { ...IGNORE, index: 9 },
      { ...ANNOUNCE, index: 9, before: 0 },
    ],
  ],
])("raise: %s", (_, links, kept, writes, after) => {
  const plan = raise(["eth0"], kept, reader(links));
  expect(written(plan)).toEqual(writes);
  expect(plan.kept).toEqual(after);
});

test.each<
  [what: string, needed: readonly string[], links: Links, writes: readonly string[], left: number, remarks: number]
>([
  ["nobody needs them", [], { eth0: [2, 1, 2] }, ["eth0 arpIgnore 0", "eth0 arpAnnounce 1"], 0, 0],
  ["somebody does", ["eth0"], { eth0: [2, 1, 2] }, [], 2, 0],
  ["one was changed by somebody else", [], { eth0: [2, 3, 2] }, ["eth0 arpAnnounce 1"], 0, 1],
  ["they were put back already", [], { eth0: [2, 0, 1] }, [], 0, 0],
  ["the interface is gone", [], {}, [], 0, 0],
  ["the interface was made anew", [], { eth0: [9, 1, 2] }, [], 0, 0],
  ["the interface was renamed", [], { lan0: [2, 1, 2] }, ["lan0 arpIgnore 0", "lan0 arpAnnounce 1"], 0, 0],
  ["it was renamed, and somebody needs it by its old name", ["eth0"], { lan0: [2, 1, 2] }, [], 2, 0],
  ["it was renamed, and somebody needs it by its new name", ["lan0"], { lan0: [2, 1, 2] }, [], 2, 0],
  [
    "it was renamed, and another one has its name",
    ["eth0"],
    { eth0: [9, 1, 2], lan0: [2, 1, 2] },
    ["lan0 arpIgnore 0", "lan0 arpAnnounce 1"],
    0,
    0,
  ],
])("restore: %s", (_, needed, links, writes, left, remarks) => {
  const plan = restore(needed, [IGNORE, ANNOUNCE], reader(links));
  expect(written(plan)).toEqual(writes);
  expect([plan.kept.length, plan.remarks.length]).toEqual([left, remarks]);
});

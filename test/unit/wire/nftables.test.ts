import { describe, expect, it } from "vitest";
import { fromHex, readCString, toHex } from "../../../src/wire/bytes.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import type { NetlinkMessage } from "../../../src/wire/netlink.ts";
import { attributeMap, decodeMessages, listAttributes, LITTLE_ENDIAN } from "../../../src/wire/netlink.ts";
import {
  accept,
  drop,
  etherTypeIs,
  etherTypeIsIn,
  isLocal,
  isNotIn,
  jumpTo,
  loadNetworkHeader,
  returnBack,
  verdictOf,
} from "../../../src/wire/nft-expressions.ts";
import type { SetShape } from "../../../src/wire/nftables.ts";
import {
  decodeChain,
  decodeElements,
  decodeGeneration,
  decodeRule,
  decodeSet,
  decodeTable,
  encodeBatchMark,
  encodeChain,
  encodeElements,
  elementsWithTimeout,
  encodeAnyFamily,
  encodeNewSet,
  encodeRule,
  encodeTable,
  KEY_ETHERTYPE,
  KEY_IPV4,
  NF_NETDEV_INGRESS,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFPROTO_NETDEV,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWGEN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSET,
  NFT_MSG_NEWSETELEM,
  NFT_MSG_NEWTABLE,
} from "../../../src/wire/nftables.ts";
import { loadVectors } from "../../vectors/load.ts";
import { misbehaviour, mutations, truncations } from "./hostile.ts";

const captured = loadVectors("nftables.hex");
const TABLE = { family: NFPROTO_NETDEV, table: "t" };

/** The batch that nft sent for the ruleset in nftables.nft. */
const batch = LITTLE_ENDIAN ? decodeMessages(captured("batch")) : [];

function sent(type: number, nth = 0): Uint8Array {
  return pick(batch, type, nth);
}

function told(name: string, type: number, nth = 0): Uint8Array {
  return pick(decodeMessages(captured(name)), type, nth);
}

function pick(messages: readonly NetlinkMessage[], type: number, nth: number): Uint8Array {
  const message = messages.filter((each) => each.type === type)[nth];
  if (message === undefined) throw new Error(`no message ${nth} of type ${type}`);
  return message.payload;
}

/** Header and attributes by type, for comparing regardless of order and of the flag for nesting. */
function readable(payload: Uint8Array, omit: readonly number[] = []): Record<string, string> {
  const entries = [...attributeMap(payload.subarray(4))].filter(([type]) => !omit.includes(type));
  return {
    header: toHex(payload.slice(0, 4)),
    ...Object.fromEntries(entries.map(([type, data]) => [type, toHex(data)])),
  };
}

/** The expressions of a rule as "name {attribute: bytes}". */
function expressions(rule: Uint8Array): string[] {
  const list = attributeMap(rule.subarray(4)).get(4) ?? new Uint8Array();
  return listAttributes(list).map(({ data }) => {
    const parts = attributeMap(data);
    const name = readCString(parts.get(1) ?? new Uint8Array());
    const SET_ID = 4;
    const inner = [...attributeMap(parts.get(2) ?? new Uint8Array())].filter(
      ([type]) => name !== "lookup" || type !== SET_ID,
    );
    const text = inner
      .filter(([type, value]) => !isDefault(name, type, value))
      .map(([type, value]) => `${type}:${toHex(value)}`);
    return `${name} ${text.toSorted().join(" ")}`;
  });
}

/** nft writes out what we leave at its default: the flags 0 of a lookup. */
function isDefault(name: string, type: number, value: Uint8Array): boolean {
  return name === "lookup" && type === 5 && value.every((byte) => byte === 0);
}

describe.runIf(LITTLE_ENDIAN)("what we ask of nftables is what nft asks", () => {
  it("for the edges of a batch", () => {
    expect(batch.at(0)).toMatchObject({ type: NFNL_MSG_BATCH_BEGIN, payload: encodeBatchMark() });
    expect(batch.at(-1)).toMatchObject({ type: NFNL_MSG_BATCH_END, payload: encodeBatchMark() });
  });

  it("for a table", () => {
    expect(readable(encodeTable(TABLE, 0))).toEqual(readable(sent(NFT_MSG_NEWTABLE)));
    expect(readable(encodeTable(TABLE, 6))["2"]).toBe("00000006");
  });

  it("for sets, but for nft's own findings", () => {
    const USERDATA = 13;
    const shapes: readonly SetShape[] = [
      { name: "guarded4", key: KEY_IPV4, kind: "keys" },
      { name: "deadline-1", key: KEY_ETHERTYPE, kind: "timeouts" },
      { name: "open4", key: KEY_IPV4, kind: "verdicts" },
    ];
    for (const [nth, shape] of shapes.entries()) {
      const theirs = readable(sent(NFT_MSG_NEWSET, nth), [USERDATA]);
      expect(theirs).toMatchObject(readable(encodeNewSet(TABLE, shape, nth + 1)));
    }
  });

  it("for elements: plain ones, with a timeout, and with a chain to jump to", () => {
    const SET_ID = 4;
    const address = ipBytes("10.9.8.7");
    const ours = [
      encodeElements(TABLE, "guarded4", [address]),
      encodeElements(TABLE, "deadline-1", [Uint8Array.of(8, 0)], { timeoutMs: 30_000 }),
      encodeElements(TABLE, "open4", [address], { chain: "deadline-1" }),
    ];
    for (const [nth, payload] of ours.entries()) {
      const theirs = sent(NFT_MSG_NEWSETELEM, nth);
      expect(readable(payload, [3])).toEqual(readable(theirs, [3, SET_ID]));
      expect(elementAttributes(payload)).toEqual(elementAttributes(theirs));
    }
  });

  it("for elements whose timeout alone changes", () => {
    const keys = [Uint8Array.of(8, 0), Uint8Array.of(0x86, 0xdd), Uint8Array.of(8, 6)];
    const encode = elementsWithTimeout(TABLE, "deadline-12", keys);
    const first = encode(1);
    for (const timeoutMs of [0, 1, 30_000, 2 ** 40 + 5])
      expect(encode(timeoutMs)).toEqual(encodeElements(TABLE, "deadline-12", keys, { timeoutMs }));
    expect(first).toEqual(encodeElements(TABLE, "deadline-12", keys, { timeoutMs: 1 }));
  });

  it("for a chain on an ingress hook, and for one without a hook", () => {
    const [POLICY, FLAGS] = [5, 10];
    const ours = encodeChain(TABLE, "in-eth0", { number: NF_NETDEV_INGRESS, priority: -500, device: "eth0" });
    const theirs = chainsSent("in-eth0");
    expect(readable(ours, [4])).toEqual(readable(theirs, [4, POLICY, 8, FLAGS]));
    const hook = (payload: Uint8Array): Record<string, string> => hookAttributes(payload);
    expect(hook(theirs)).toMatchObject(hook(ours));
    expect(readable(encodeChain(TABLE, "to4"))).toEqual(readable(chainsSent("to4"), [FLAGS]));
  });

  it.each([
    ["vipd/2 open", "deadline-1", [...etherTypeIsIn("deadline-1"), accept()]],
    [
      "vipd/2 to4 not guarded",
      "to4",
      [...etherTypeIs(0x0800), loadNetworkHeader(16, 4), isNotIn("guarded4"), returnBack()],
    ],
    ["vipd/2 to4 open", "to4", [...etherTypeIs(0x0800), loadNetworkHeader(16, 4), verdictOf("open4")]],
    ["vipd/2 to4 closed", "to4", [...etherTypeIs(0x0800), ...isLocal("destination"), drop()]],
    ["vipd/2 to4", "in-eth0", [...etherTypeIs(0x0800), jumpTo("to4")]],
  ])("for the rule %s", (comment, chain, rule) => {
    const theirs = batch.filter(({ type }) => type === NFT_MSG_NEWRULE).map(({ payload }) => payload);
    const ours = encodeRule(TABLE, chain, rule, comment);
    const same = theirs.find((payload) => readable(payload)["7"] === readable(ours)["7"]) ?? new Uint8Array(4);
    expect(expressions(ours)).toEqual(expressions(same));
    expect(readable(ours, [4])).toEqual(readable(same, [4]));
  });
});

/** What nft sent to make the chain of this name. */
function chainsSent(name: string): Uint8Array {
  const [NAME] = [3];
  const chains = batch.filter(({ type }) => type === NFT_MSG_NEWCHAIN).map(({ payload }) => payload);
  const found = chains.find((payload) => readCString(attributeMap(payload.subarray(4)).get(NAME) ?? payload) === name);
  if (found === undefined) throw new Error(`nft sent no chain ${name}`);
  return found;
}

function elementAttributes(payload: Uint8Array): string[] {
  const list = attributeMap(payload.subarray(4)).get(3) ?? new Uint8Array();
  return listAttributes(list).map(({ data }) =>
    [...attributeMap(data)]
      .map(([type, value]) => `${type}:${toHex(value)}`)
      .toSorted()
      .join(" "),
  );
}

function hookAttributes(payload: Uint8Array): Record<string, string> {
  const hook = attributeMap(attributeMap(payload.subarray(4)).get(4) ?? new Uint8Array());
  return Object.fromEntries([...hook].map(([type, value]) => [String(type), toHex(value)]));
}

/** All that the kernel told of one kind. */
function allTold<T>(name: string, type: number, decode: (payload: Uint8Array) => T): T[] {
  return decodeMessages(captured(name))
    .filter((message) => message.type === type)
    .map(({ payload }) => decode(payload));
}

describe.runIf(LITTLE_ENDIAN)("what the kernel tells of nftables", () => {
  it("is read as nft lists it", () => {
    expect(decodeTable(told("table", NFT_MSG_NEWTABLE))).toMatchObject({ name: "t", flags: 0 });
    expect(decodeTable(told("table", NFT_MSG_NEWTABLE))).not.toHaveProperty("owner");
    const chains = allTold("chains", NFT_MSG_NEWCHAIN, decodeChain).filter(({ table }) => table === "t");
    expect(chains.map(({ name, use }) => [name, use])).toEqual([
      ["deadline-1", 2],
      ["to4", 4],
      ["in-eth0", 1],
    ]);
    expect(chains[2]).toMatchObject({ hookNumber: NF_NETDEV_INGRESS, devices: ["eth0"] });
    expect(chains[1]).not.toHaveProperty("hookNumber");
    const rules = allTold("rules", NFT_MSG_NEWRULE, decodeRule);
    expect(rules.map(({ table, chain, comment }) => `${table} ${chain}: ${comment}`)).toEqual([
      "t deadline-1: vipd/2 open",
      "t to4: vipd/2 to4 not guarded",
      "t to4: vipd/2 to4 open",
      "t to4: vipd/2 to4 closed",
      "t in-eth0: vipd/2 to4",
    ]);
  });

  it("tells sets, and of which kind they are", () => {
    expect(allTold("sets", NFT_MSG_NEWSET, decodeSet)).toEqual([
      { name: "guarded4", kind: "keys" },
      { name: "deadline-1", kind: "timeouts" },
      { name: "open4", kind: "verdicts" },
    ]);
  });

  it("tells elements, how long they last, and where they jump to", () => {
    const elements = (set: string) => decodeElements(told(`${set}-elements`, NFT_MSG_NEWSETELEM));
    expect(elements("guarded4")).toEqual([{ key: ipBytes("10.9.8.7") }]);
    expect(elements("open4")).toEqual([{ key: ipBytes("10.9.8.7"), chain: "deadline-1" }]);
    const [deadline] = elements("deadline-1");
    expect(deadline?.key).toEqual(Uint8Array.of(8, 0));
    expect(deadline?.expiresMs).toBeGreaterThan(29_000);
    expect(deadline?.expiresMs).toBeLessThanOrEqual(30_000);
  });

  it("tells the generation of the ruleset", () => {
    expect(decodeGeneration(told("generation", NFT_MSG_NEWGEN))).toBeGreaterThan(0);
    expect(encodeAnyFamily()).toHaveLength(4);
  });

  it("may be empty: a set without elements", () => {
    expect(decodeElements(fromHex("05000000"))).toEqual([]);
  });

  it("is refused where something is missing", () => {
    expect(() => decodeTable(fromHex("05000000"))).toThrow(RangeError);
    expect(() => decodeChain(fromHex("0500"))).toThrow(RangeError);
    expect(() => decodeRule(fromHex("05000000"))).toThrow(RangeError);
  });

  it("survives hostile bytes", () => {
    const readers: readonly (readonly [Uint8Array, (bytes: Uint8Array) => unknown])[] = [
      [told("table", NFT_MSG_NEWTABLE), decodeTable],
      [told("chains", NFT_MSG_NEWCHAIN), decodeChain],
      [told("rules", NFT_MSG_NEWRULE), decodeRule],
      [told("sets", NFT_MSG_NEWSET), decodeSet],
      [told("generation", NFT_MSG_NEWGEN), decodeGeneration],
      [told("guarded4-elements", NFT_MSG_NEWSETELEM), decodeElements],
      [told("deadline-1-elements", NFT_MSG_NEWSETELEM), decodeElements],
      [told("open4-elements", NFT_MSG_NEWSETELEM), decodeElements],
    ];
    for (const [bytes, decode] of readers) {
      expect(misbehaviour(decode, [...truncations(bytes), ...mutations(bytes, 500)])).toEqual([]);
    }
  });
});

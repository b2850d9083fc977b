import { describe, expect, it } from "vitest";
import { fromHex, readCString, toHex } from "../../../src/wire/bytes.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import type { NetlinkMessage } from "../../../src/wire/netlink.ts";
import { attributeMap, decodeMessages, listAttributes, LITTLE_ENDIAN } from "../../../src/wire/netlink.ts";
import { drop, etherTypeIs, inSetButNotIn, isLocal } from "../../../src/wire/nft-expressions.ts";
import {
  decodeChain,
  decodeElements,
  decodeRule,
  decodeTable,
  encodeBatchMark,
  encodeChain,
  encodeElements,
  encodeNewSet,
  encodeRule,
  encodeTable,
  KEY_IPV4,
  NF_NETDEV_INGRESS,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFPROTO_NETDEV,
  NFT_MSG_NEWCHAIN,
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
    const guarded = { name: "guarded4", key: KEY_IPV4, timeouts: false };
    const open = { name: "open4", key: KEY_IPV4, timeouts: true };
    for (const [nth, shape] of [guarded, open].entries()) {
      const theirs = readable(sent(NFT_MSG_NEWSET, nth), [USERDATA]);
      expect(theirs).toMatchObject(readable(encodeNewSet(TABLE, shape, nth + 1)));
    }
  });

  it("for elements with and without a timeout", () => {
    const SET_ID = 4;
    const plain = encodeElements(TABLE, "guarded4", [ipBytes("10.9.8.7")]);
    const timed = encodeElements(TABLE, "open4", [ipBytes("10.9.8.7")], 30_000);
    const keyOf = (payload: Uint8Array): string => toHex(decodeElements(payload)[0]?.key ?? new Uint8Array());
    for (const [ours, theirs] of [
      [plain, sent(NFT_MSG_NEWSETELEM)],
      [timed, sent(NFT_MSG_NEWSETELEM, 1)],
    ] as const) {
      expect(readable(ours, [3])).toEqual(readable(theirs, [3, SET_ID]));
      expect(keyOf(ours)).toBe(keyOf(theirs));
      expect(elementAttributes(ours)).toEqual(elementAttributes(theirs));
    }
  });

  it("for a chain on an ingress hook", () => {
    const POLICY = 5;
    const ours = encodeChain(TABLE, "in-eth0", { number: NF_NETDEV_INGRESS, priority: -500, device: "eth0" });
    const theirs = sent(NFT_MSG_NEWCHAIN);
    expect(readable(ours, [4])).toEqual(readable(theirs, [4, POLICY, 8]));
    const hook = (payload: Uint8Array): Record<string, string> => hookAttributes(payload);
    expect(hook(theirs)).toMatchObject(hook(ours));
  });

  it("for a rule, but for the second load of the same bytes", () => {
    const rule = [
      ...etherTypeIs(0x0800),
      ...inSetButNotIn(16, 4, "guarded4", "open4"),
      ...isLocal("destination"),
      drop(),
    ];
    const ours = encodeRule(TABLE, "in-eth0", rule, "vipd/1 ipv4 destination local");
    const theirs = sent(NFT_MSG_NEWRULE);
    const wanted = expressions(theirs);
    const second = wanted.findLastIndex((text) => text.startsWith("payload"));
    expect(wanted.splice(second, 1)).toEqual([wanted.find((text) => text.startsWith("payload"))]);
    expect(expressions(ours)).toEqual(wanted);
    expect(readable(ours, [4])).toEqual(readable(theirs, [4]));
  });
});

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

describe.runIf(LITTLE_ENDIAN)("what the kernel tells of nftables", () => {
  it("is read as nft lists it", () => {
    expect(decodeTable(told("table", NFT_MSG_NEWTABLE))).toMatchObject({ name: "t", flags: 0 });
    expect(decodeTable(told("table", NFT_MSG_NEWTABLE))).not.toHaveProperty("owner");
    expect(decodeChain(told("chain", NFT_MSG_NEWCHAIN))).toMatchObject({
      table: "t",
      name: "in-eth0",
      use: 1,
      hookNumber: NF_NETDEV_INGRESS,
      devices: ["eth0"],
    });
    expect(decodeRule(told("rule", NFT_MSG_NEWRULE))).toMatchObject({
      chain: "in-eth0",
      comment: "vipd/1 ipv4 destination local",
    });
  });

  it("tells elements, and how long they last", () => {
    expect(decodeElements(told("guarded-elements", NFT_MSG_NEWSETELEM))).toEqual([{ key: ipBytes("10.9.8.7") }]);
    const [open] = decodeElements(told("open-elements", NFT_MSG_NEWSETELEM));
    expect(open?.key).toEqual(ipBytes("10.9.8.7"));
    expect(open?.expiresMs).toBeGreaterThan(29_000);
    expect(open?.expiresMs).toBeLessThanOrEqual(30_000);
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
      [told("chain", NFT_MSG_NEWCHAIN), decodeChain],
      [told("rule", NFT_MSG_NEWRULE), decodeRule],
      [told("guarded-elements", NFT_MSG_NEWSETELEM), decodeElements],
      [told("open-elements", NFT_MSG_NEWSETELEM), decodeElements],
    ];
    for (const [bytes, decode] of readers) {
      expect(misbehaviour(decode, [...truncations(bytes), ...mutations(bytes, 500)])).toEqual([]);
    }
  });
});

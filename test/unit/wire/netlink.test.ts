import { describe, expect, it } from "vitest";
import { concatBytes, fromHex, toHex } from "../../../src/wire/bytes.ts";
import {
  align4,
  attributeMap,
  decodeDone,
  decodeMessages,
  decodeVerdict,
  encodeAttribute,
  encodeMessage,
  encodeNested,
  listAttributes,
  LITTLE_ENDIAN,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "../../../src/wire/netlink.ts";
import { RTM_DELADDR } from "../../../src/wire/rtnetlink.ts";
import { loadVectors } from "../../vectors/load.ts";
import { misbehaviour, mutations, truncations } from "./hostile.ts";

const captured = loadVectors("rtnetlink.hex");

describe.runIf(LITTLE_ENDIAN)("netlink messages", () => {
  it("are framed byte by byte as ip frames them", () => {
    const bytes = captured("ip-address-delete-4");
    const [message] = decodeMessages(bytes);
    expect(message).toMatchObject({ type: RTM_DELADDR, flags: NLM_F_REQUEST | NLM_F_ACK, seq: 0x6b00f93a, pid: 0 });
    if (message === undefined) throw new Error("no message");
    expect(toHex(encodeMessage(message))).toBe(toHex(bytes));
  });

  it("are padded to 4 bytes, and the padding is not counted", () => {
    expect(toHex(encodeMessage({ type: 0x10, flags: 1, seq: 2, payload: fromHex("aabbcc") }))).toBe(
      "13000000" + "1000" + "0100" + "02000000" + "00000000" + "aabbcc00",
    );
    expect([0, 1, 2, 3, 4, 5].map(align4)).toEqual([0, 4, 4, 4, 4, 8]);
  });

  it("come several in one datagram, the last with or without its padding", () => {
    const first = encodeMessage({ type: 1, flags: 0, seq: 1, payload: fromHex("aa") });
    const second = encodeMessage({ type: 2, flags: 0, seq: 2, payload: fromHex("bb") });
    const read = (bytes: Uint8Array): string[] =>
      decodeMessages(bytes).map(({ seq, payload }) => `${seq}:${toHex(payload)}`);
    expect(read(concatBytes(first, second))).toEqual(["1:aa", "2:bb"]);
    expect(read(concatBytes(first, second.slice(0, -3)))).toEqual(["1:aa", "2:bb"]);
    expect(read(new Uint8Array())).toEqual([]);
  });

  it.each([
    ["shorter than its header", "0f000000 1000 0000 00000000 00000000"],
    ["longer than the datagram", "11000000 1000 0000 00000000 00000000"],
    ["longer than anything", "ffffffff 1000 0000 00000000 00000000"],
    ["zero", "00000000 1000 0000 00000000 00000000"],
  ])("with a length that is %s are refused", (_, hex) => {
    expect(() => decodeMessages(fromHex(hex))).toThrow(RangeError);
  });

  it("of the kernel carry its verdict", () => {
    const verdicts = ["acknowledgement", "refusal"].map((name) => decodeMessages(captured(name))[0]);
    expect(verdicts.map((message) => message?.type)).toEqual([NLMSG_ERROR, NLMSG_ERROR]);
    const read = verdicts.map((message) => decodeVerdict(message?.payload ?? new Uint8Array()));
    expect(read).toEqual([
      { errno: 0, seq: 0x6b00f93a },
      { errno: 19, seq: 0 },
    ]);
    expect(decodeMessages(captured("dump-done"))[0]?.type).toBe(NLMSG_DONE);
  });

  it("survive hostile bytes", () => {
    const samples = ["ip-address-add-4", "acknowledgement", "refusal", "link"].map(captured);
    const inputs = samples.flatMap((bytes) => [...truncations(bytes), ...mutations(bytes, 300)]);
    expect(misbehaviour((bytes) => decodeMessages(bytes).map(({ payload }) => decodeVerdict(payload)), inputs)).toEqual(
      [],
    );
  });
});

describe.runIf(LITTLE_ENDIAN)("netlink attributes", () => {
  it("are padded, and may be nested", () => {
    expect(toHex(encodeAttribute(3, fromHex("6100")))).toBe("0600030061000000");
    expect(toHex(encodeNested(4, encodeAttribute(1, fromHex("01"))))).toBe("0c000480" + "0500010001000000");
  });

  it("are read without their flag bits, and with the last of the same type", () => {
    const bytes = concatBytes(
      encodeNested(4, encodeAttribute(1, fromHex("01"))),
      encodeAttribute(5, fromHex("aa")),
      encodeAttribute(5, fromHex("bb")),
    );
    expect(listAttributes(bytes).map(({ type }) => type)).toEqual([4, 5, 5]);
    expect(attributeMap(bytes).get(5)).toEqual(fromHex("bb"));
  });

  it("that do not fit in 16 bits of length are refused when written", () => {
    expect(() => encodeAttribute(1, new Uint8Array(0xfffc))).toThrow(RangeError);
    expect(encodeAttribute(1, new Uint8Array(0xfffb))).toHaveLength(0x10000);
  });

  it.each([
    ["shorter than its header", "0300 0100"],
    ["zero", "0000 0100"],
    ["longer than what is there", "0900 0100 00000000"],
    ["cut off", "0400 01"],
  ])("with a length that is %s are refused when read", (_, hex) => {
    expect(() => listAttributes(fromHex(hex))).toThrow(RangeError);
  });

  it("survive hostile bytes", () => {
    const bytes = captured("ip-address-add-4").slice(24);
    expect(misbehaviour(listAttributes, [...truncations(bytes), ...mutations(bytes, 500)])).toEqual([]);
  });
});

describe.runIf(LITTLE_ENDIAN)("the end of a dump", () => {
  it("tells of success, also from kernels that say nothing", () => {
    expect(decodeDone(decodeMessages(captured("dump-done"))[0]?.payload ?? fromHex("ff"))).toBe(0);
    expect(decodeDone(new Uint8Array())).toBe(0);
  });

  it("tells of the error that cut it short", () => {
    expect(decodeDone(fromHex("feffffff"))).toBe(2);
  });
});

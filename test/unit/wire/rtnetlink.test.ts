import { describe, expect, it } from "vitest";
import { concatBytes, toHex } from "../../../src/wire/bytes.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import { attributeMap, decodeMessages, encodeAttribute, host32, LITTLE_ENDIAN } from "../../../src/wire/netlink.ts";
import {
  decodeAddress,
  decodeArpSettings,
  decodeLink,
  decodeNetlinkPort,
  encodeAddressDump,
  encodeArpSetting,
  encodeDeleteAddress,
  encodeDeleteLink,
  encodeLinkState,
  encodeNewMacvlan,
  encodeNoLinkLocal,
  encodeIpv4Settings,
  encodeLinkQuery,
  encodeNetlinkAddress,
  encodeNewAddress,
  encodeServedAddress,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from "../../../src/wire/rtnetlink.ts";
import { loadVectors } from "../../vectors/load.ts";
import { misbehaviour, mutations, truncations } from "./hostile.ts";

const captured = loadVectors("rtnetlink.hex");
const IFA_FLAGS = 8;
const IFA_PROTO = 11;

/** The payload of the first message of this type. */
function payload(name: string, type: number): Uint8Array {
  const message = decodeMessages(captured(name)).find((each) => each.type === type);
  if (message === undefined) throw new Error(`no message of type ${type} in ${name}`);
  return message.payload;
}

/** Attributes as text by type, for comparing regardless of order. */
function readable(bytes: Uint8Array, omit: readonly number[] = []): Record<string, string> {
  const entries = [...attributeMap(bytes.subarray(8))].filter(([type]) => !omit.includes(type));
  return Object.fromEntries(entries.map(([type, data]) => [String(type), toHex(data)]));
}

const V4 = { bytes: ipBytes("10.9.8.7"), prefix: 24, index: 3, mark: 0x76, label: "eth0:vip", lifetimeS: 30 };
const V6 = { bytes: ipBytes("2001:db8::7"), prefix: 64, index: 3, mark: 0x76, lifetimeS: 30 };

describe.runIf(LITTLE_ENDIAN)("address requests", () => {
  it("for IPv4 say what ip says, and the mark", () => {
    const ours = encodeNewAddress(V4);
    const theirs = payload("ip-address-add-4", RTM_NEWADDR);
    expect(toHex(ours.slice(0, 8))).toBe(toHex(theirs.slice(0, 8)));
    expect(readable(ours, [IFA_PROTO])).toEqual(readable(theirs));
    expect(attributeMap(ours.subarray(8)).get(IFA_PROTO)).toEqual(Uint8Array.of(0x76));
  });

  it("for IPv6 say what ip says, with `nodad` as 32-bit flags, and never a label", () => {
    const ours = encodeNewAddress({ ...V6, label: "eth0:no" });
    const theirs = payload("ip-address-add-6", RTM_NEWADDR);
    // ip has the flag in the header as well.
    expect(theirs[2]).toBe(2);
    expect(readable(ours, [IFA_PROTO, IFA_FLAGS])).toEqual(readable(theirs, [IFA_FLAGS]));
    expect(attributeMap(ours.subarray(8)).get(IFA_FLAGS)).toEqual(Uint8Array.of(2, 0, 0, 0));
  });

  it("for a real server have the scope of the host, or are deprecated, for ever", () => {
    const mark = 0x72;
    expect(toHex(encodeServedAddress({ bytes: ipBytes("10.0.0.50"), index: 1, mark }))).toBe(
      "022000fe01000000" + "080002000a000032" + "080001000a000032" + "05000b0072000000",
    );
    const ip = "20010db8000000000000000000000050";
    expect(toHex(encodeServedAddress({ bytes: ipBytes("2001:db8::50"), index: 1, mark }))).toBe(
      `0a8000000100000014000200${ip}14000100${ip}` +
        "1400060000000000ffffffff0000000000000000" +
        "0800080002000000" +
        "05000b0072000000",
    );
  });

  it("for deletion are those of ip, byte by byte", () => {
    const theirs = decodeMessages(captured("ip-address-delete-4"))[0]?.payload;
    expect(encodeDeleteAddress(V4.bytes, 24, 3)).toEqual(theirs);
  });

  it("for lists ask for all families, all links or one", () => {
    expect(encodeAddressDump()).toEqual(new Uint8Array(8));
    const withoutCounters = "08001d00" + "08000000";
    expect(toHex(encodeLinkQuery())).toBe("00".repeat(16) + withoutCounters);
    expect(toHex(encodeLinkQuery(7))).toBe("00000000" + "07000000" + "0000000000000000" + withoutCounters);
    expect(toHex(encodeLinkQuery("eth0").slice(16))).toBe("09000300" + "6574683000000000" + withoutCounters);
  });
});

describe.runIf(LITTLE_ENDIAN)("what the kernel tells", () => {
  it("of addresses", () => {
    expect(decodeAddress(payload("address-dump-4", RTM_NEWADDR))).toEqual({
      family: 4,
      ip: "10.9.8.7",
      prefix: 24,
      index: 3,
      mark: 0,
      secondary: false,
      label: "eth0:vip",
      validS: 30,
    });
    expect(decodeAddress(payload("address-dump-6", RTM_NEWADDR))).toEqual({
      family: 6,
      ip: "2001:db8::7",
      prefix: 64,
      index: 3,
      mark: 0,
      secondary: false,
      validS: 30,
    });
  });

  it("of what we asked for, in our own words", () => {
    expect(decodeAddress(encodeNewAddress(V4))).toEqual({
      family: 4,
      ip: "10.9.8.7",
      prefix: 24,
      index: 3,
      mark: 0x76,
      secondary: false,
      label: "eth0:vip",
      validS: 30,
    });
  });

  it("of lifetimes: all ones is for ever", () => {
    const record = decodeAddress(encodeNewAddress({ ...V6, lifetimeS: 0xffffffff }));
    expect(record).not.toHaveProperty("validS");
  });

  it("of a secondary IPv4 address; for IPv6 the same bit means a temporary one", () => {
    const flagged = (payload: Uint8Array): Uint8Array => payload.map((byte, at) => (at === 2 ? byte | 1 : byte));
    expect(decodeAddress(flagged(encodeNewAddress(V4)))?.secondary).toBe(true);
    expect(decodeAddress(flagged(encodeNewAddress(V6)))?.secondary).toBe(false);
  });

  it("of a point-to-point address: the own end, not the peer's", () => {
    const header = Uint8Array.of(2, 32, 0, 0, 3, 0, 0, 0);
    const ends = [encodeAttribute(1, ipBytes("10.0.0.2")), encodeAttribute(2, ipBytes("10.0.0.1"))];
    expect(decodeAddress(concatBytes(header, ...ends))?.ip).toBe("10.0.0.1");
  });

  it("of other families means nothing here", () => {
    expect(decodeAddress(Uint8Array.of(16, 0, 0, 0, 0, 0, 0, 0))).toBeUndefined();
  });

  it.each([
    ["no address at all", Uint8Array.of(2, 24, 0, 0, 3, 0, 0, 0)],
    [
      "an address of the other family",
      concatBytes(Uint8Array.of(2, 24, 0, 0, 3, 0, 0, 0), encodeAttribute(2, ipBytes("::1"))),
    ],
  ])("of %s is refused", (_, bytes) => {
    expect(() => decodeAddress(bytes)).toThrow(RangeError);
  });

  it("of links", () => {
    const link = decodeLink(payload("link", RTM_NEWLINK));
    expect(link).toMatchObject({ index: 3, name: "eth0", up: false, ethernet: true, loopback: false });
    expect(link?.mac).toMatch(/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/u);
  });

  it.each([
    [0x11043, true, "up, running, with carrier"],
    [0x11003, false, "carrier, but no queue for its packets yet"],
    [0x01043, false, "carrier just lost"],
    [0x10042, false, "set down"],
  ])("of a link's flags %i: usable %s (%s)", (flags, up) => {
    const bytes = payload("link", RTM_NEWLINK).slice();
    bytes.set(host32(flags), 8);
    expect(decodeLink(bytes)?.up).toBe(up);
  });

  it("of a bridge's port is not a link", () => {
    const bytes = payload("link", RTM_NEWLINK).slice();
    bytes[0] = 7;
    expect(decodeLink(bytes)).toBeUndefined();
  });

  it("survives hostile bytes", () => {
    const addresses = [payload("address-dump-4", RTM_NEWADDR), payload("address-dump-6", RTM_NEWADDR)];
    const link = payload("link", RTM_NEWLINK);
    const inputs = addresses.flatMap((bytes) => [...truncations(bytes), ...mutations(bytes, 500)]);
    expect(misbehaviour(decodeAddress, inputs)).toEqual([]);
    expect(misbehaviour(decodeLink, [...truncations(link), ...mutations(link, 1000)])).toEqual([]);
  });
});

describe.runIf(LITTLE_ENDIAN)("netlink socket addresses", () => {
  it("name groups and tell the port", () => {
    expect(toHex(encodeNetlinkAddress(0x111))).toBe("100000000000000011010000");
    expect(decodeNetlinkPort(Uint8Array.of(16, 0, 0, 0, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0))).toBe(0x12345678);
    expect(() => decodeNetlinkPort(new Uint8Array(8))).toThrow(RangeError);
  });
});

describe.runIf(LITTLE_ENDIAN)("requests for a macvlan device", () => {
  const HEADER = "0000000000000000";

  it("make it in bridge mode, with its MAC, on the link below", () => {
    const mac = Uint8Array.of(0, 0, 0x5e, 0, 1, 0x33);
    expect(toHex(encodeNewMacvlan({ name: "vipd4-51", mac, lower: 3 }))).toBe(
      `${HEADER}0000000000000000` +
        ("08000500" + "03000000") +
        ("0a000100" + "00005e0001330000") +
        ("0d000300" + "76697064342d353100000000") +
        ("1c001280" + "0c000100" + "6d6163766c616e00" + "0c000280" + "08000100" + "04000000"),
    );
  });

  it("take it up and down, and remove it, by its number", () => {
    expect(toHex(encodeLinkState(7, true))).toBe("0000000007000000" + "01000000" + "01000000");
    expect(toHex(encodeLinkState(7, false))).toBe("0000000007000000" + "00000000" + "01000000");
    expect(toHex(encodeDeleteLink(7))).toBe("0000000007000000" + "00000000" + "00000000");
  });

  it("give it no link-local address", () => {
    expect(toHex(encodeNoLinkLocal(7))).toBe(
      "0000000007000000" + "0000000000000000" + "10001a80" + "0c000a80" + "05000800" + "01000000",
    );
  });

  it("set net.ipv4.conf of it: rp_filter, arp_announce and arp_ignore at their places", () => {
    expect(toHex(encodeIpv4Settings(7, { rpFilter: 2, arpAnnounce: 2, arpIgnore: 1 }))).toBe(
      "0000000007000000" +
        "0000000000000000" +
        ("24001a80" + "20000280" + "1c000180") +
        ("08000800" + "02000000" + "08001200" + "02000000" + "08001300" + "01000000"),
    );
  });
});

describe.runIf(LITTLE_ENDIAN)("the setting promote_secondaries", () => {
  it("is read from what the kernel tells of a link: off by default", () => {
    expect(decodeLink(payload("link", RTM_NEWLINK))?.promotesSecondaries).toBe(false);
  });

  it("is read as on where its place holds a number other than 0", () => {
    const bytes = payload("link", RTM_NEWLINK).slice();
    // IFLA_AF_SPEC, then AF_INET, then IFLA_INET_CONF begin here, each with a header of 4 bytes.
    const at = toHex(bytes).indexOf("c0011a008c00020088000100") / 2;
    bytes[at + 12 + 19 * 4] = 1;
    expect(decodeLink(bytes)?.promotesSecondaries).toBe(true);
  });

  it("is set through the link, whoever may write /proc/sys", () => {
    expect(toHex(encodeIpv4Settings(3, { promoteSecondaries: 1 }))).toBe(
      "00000000030000000000000000000000" + "14001a80" + "10000280" + "0c000180" + "08001400" + "01000000",
    );
  });
});

describe.runIf(LITTLE_ENDIAN)("the settings arp_ignore and arp_announce", () => {
  it("are read from what the kernel tells of a link: 0 by default", () => {
    expect(decodeArpSettings(payload("link", RTM_NEWLINK))).toEqual({ arpIgnore: 0, arpAnnounce: 0 });
  });

  it("are read at their places", () => {
    const bytes = payload("link", RTM_NEWLINK).slice();
    const at = toHex(bytes).indexOf("c0011a008c00020088000100") / 2;
    bytes[at + 12 + 17 * 4] = 2;
    bytes[at + 12 + 18 * 4] = 1;
    expect(decodeArpSettings(bytes)).toEqual({ arpIgnore: 1, arpAnnounce: 2 });
  });

  it("are not there where the link has no IPv4", () => {
    expect(decodeArpSettings(new Uint8Array(16))).toBeUndefined();
  });

  it("are set through the link, each by itself", () => {
    const header = "00000000030000000000000000000000" + "14001a80" + "10000280" + "0c000180";
    expect(toHex(encodeArpSetting(3, "arpIgnore", 1))).toBe(`${header}0800130001000000`);
    expect(toHex(encodeArpSetting(3, "arpAnnounce", 2))).toBe(`${header}0800120002000000`);
  });
});

import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../../src/wire/bytes.ts";
import {
  decodeLinkAddress,
  encodeEthernetHeader,
  encodeLinkAddress,
  formatMac,
  ipv4MulticastMac,
  ipv6MulticastMac,
  parseMac,
} from "../../../src/wire/ethernet.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import { LITTLE_ENDIAN } from "../../../src/wire/netlink.ts";
import { misbehaviour, mutations, truncations } from "./hostile.ts";

// sockaddr_ll of an ARP reply to 02:00:00:00:00:0a that came in on interface 3.
const HEARD = "1100 0806 03000000 0100 00 06 02000000000b 0000";

describe("hardware addresses", () => {
  it("are read in either case and written in lower case", () => {
    const mac = parseMac("02:00:5E:aB:cd:0f");
    expect(mac).toEqual(fromHex("02005eabcd0f"));
    expect(formatMac(fromHex("02005eabcd0f"))).toBe("02:00:5e:ab:cd:0f");
  });

  it.each([
    "",
    "02:00:5e:ab:cd",
    "02:00:5e:ab:cd:0f:01",
    "02-00-5e-ab-cd-0f",
    "2:0:5e:ab:cd:f",
    "02:00:5e:ab:cd:0g",
    " 02:00:5e:ab:cd:0f",
  ])("are not %j", (text) => {
    expect(parseMac(text)).toBeUndefined();
  });

  it("of an IPv4 group end in the group's last 23 bits (RFC 1112, section 6.4)", () => {
    expect(formatMac(ipv4MulticastMac(ipBytes("224.0.0.18")))).toBe("01:00:5e:00:00:12");
    expect(formatMac(ipv4MulticastMac(ipBytes("239.255.1.2")))).toBe("01:00:5e:7f:01:02");
    expect(() => ipv4MulticastMac(new Uint8Array(3))).toThrow(RangeError);
  });

  it("stand in a frame's header: destination, source, EtherType", () => {
    const header = encodeEthernetHeader(fromHex("01005e000012"), fromHex("00005e000133"), 0x0800);
    expect(toHex(header)).toBe("01005e000012" + "00005e000133" + "0800");
  });

  it("of an IPv6 group end in the group's last four bytes (RFC 2464, section 7)", () => {
    expect(formatMac(ipv6MulticastMac(ipBytes("ff02::1:ff28:9c5a")))).toBe("33:33:ff:28:9c:5a");
    expect(formatMac(ipv6MulticastMac(ipBytes("ff02::1")))).toBe("33:33:00:00:00:01");
    expect(() => ipv6MulticastMac(new Uint8Array(4))).toThrow(RangeError);
  });
});

describe.runIf(LITTLE_ENDIAN)("link-layer socket addresses", () => {
  it("are written as the kernel's struct", () => {
    const bytes = encodeLinkAddress({ protocol: 0x0806, index: 3, mac: fromHex("ffffffffffff") });
    expect(toHex(bytes)).toBe("1100080603000000000000" + "06" + "ffffffffffff0000");
  });

  it("are read with the kind of packet", () => {
    expect(decodeLinkAddress(fromHex(HEARD))).toEqual({
      protocol: 0x0806,
      index: 3,
      packetType: 0,
      mac: fromHex("02000000000b"),
    });
  });

  it("that promise a longer address than they hold are refused", () => {
    const bytes = fromHex(HEARD);
    bytes[11] = 9;
    expect(() => decodeLinkAddress(bytes)).toThrow(RangeError);
  });

  it("survive hostile bytes", () => {
    const inputs = [...truncations(fromHex(HEARD)), ...mutations(fromHex(HEARD), 300)];
    expect(misbehaviour(decodeLinkAddress, inputs)).toEqual([]);
  });
});

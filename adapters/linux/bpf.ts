// Classic BPF programs for packet sockets (linux/filter.h). An instruction is u16 code, u8 jump if true, u8 jump if false,
// u32 operand, in host order. Offsets count from the network header, as SOCK_DGRAM packet sockets see a packet.

import { concatBytes, viewOf } from "../../src/wire/bytes.ts";
import { LITTLE_ENDIAN } from "../../src/wire/netlink.ts";
import { ICMPV6, NEIGHBOR_ADVERTISEMENT } from "../../src/wire/ndp.ts";

const LOAD_WORD = 0x20;
const LOAD_BYTE = 0x30;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const WHOLE_PACKET = 0x40000;

const IPV6_NEXT_HEADER_AT = 6;
const ICMPV6_TYPE_AT = 40;

/** The last 32 bits of an advertisement's target, and the sender's address of an ARP message. */
const TARGET_END_AT = 40 + 8 + 12;
const ARP_SENDER_AT = 14;

function instruction(code: number, jumpTrue: number, jumpFalse: number, operand: number): Uint8Array {
  const out = new Uint8Array(8);
  const view = viewOf(out);
  view.setUint16(0, code, LITTLE_ENDIAN);
  out[2] = jumpTrue;
  out[3] = jumpFalse;
  view.setUint32(4, operand, LITTLE_ENDIAN);
  return out;
}

/** More addresses than this are not told apart by the kernel: a filter counts against the socket's memory. */
const MAX_ADDRESSES = 256;

/** Lets IPv6 neighbour advertisements through, of these targets only, as far as their last 32 bits tell. */
export function neighbourAdvertisementFilter(targets: readonly Uint8Array[]): Uint8Array {
  return concatBytes(
    instruction(LOAD_BYTE, 0, 0, IPV6_NEXT_HEADER_AT),
    instruction(JUMP_IF_EQUAL, 1, 0, ICMPV6),
    instruction(RETURN, 0, 0, 0),
    instruction(LOAD_BYTE, 0, 0, ICMPV6_TYPE_AT),
    instruction(JUMP_IF_EQUAL, 1, 0, NEIGHBOR_ADVERTISEMENT),
    instruction(RETURN, 0, 0, 0),
    ...oneOf(targets, TARGET_END_AT),
  );
}

/** Where the network header begins for a socket that sees the packet without it (SKF_NET_OFF). */
const NETWORK_HEADER = 0xfff00000;
const IPV6_HOP_LIMIT_AT = 7;

/** Lets only IPv6 packets through that no router has forwarded: hop limit 255. */
export function fromLinkFilter(): Uint8Array {
  return concatBytes(
    instruction(LOAD_BYTE, 0, 0, NETWORK_HEADER + IPV6_HOP_LIMIT_AT),
    instruction(JUMP_IF_EQUAL, 0, 1, 255),
    instruction(RETURN, 0, 0, WHOLE_PACKET),
    instruction(RETURN, 0, 0, 0),
  );
}

/** Lets nothing through: for sockets that only send. */
export function deafFilter(): Uint8Array {
  return instruction(RETURN, 0, 0, 0);
}

/** Lets ARP through whose sender says that it has one of these addresses. */
export function arpSenderFilter(senders: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...oneOf(senders, ARP_SENDER_AT));
}

/** Lets a packet through when the word at an offset is the last one of these addresses; all packets for too many. */
function oneOf(addresses: readonly Uint8Array[], offset: number): readonly Uint8Array[] {
  if (addresses.length > MAX_ADDRESSES) return [instruction(RETURN, 0, 0, WHOLE_PACKET)];
  const words = new Set(addresses.map((address) => viewOf(address).getUint32(address.length - 4)));
  return [
    instruction(LOAD_WORD, 0, 0, offset),
    ...[...words].flatMap((word) => [instruction(JUMP_IF_EQUAL, 0, 1, word), instruction(RETURN, 0, 0, WHOLE_PACKET)]),
    instruction(RETURN, 0, 0, 0),
  ];
}

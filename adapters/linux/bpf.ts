// Classic BPF programs (linux/filter.h). An instruction is u16 code, u8 jump if true, u8 jump if false, u32 operand, in
// host order. For packet sockets offsets count from the network header, as SOCK_DGRAM sockets see a packet; for netlink
// sockets from the message's header.

import { concatBytes, viewOf } from "../../src/wire/bytes.ts";
import { LITTLE_ENDIAN } from "../../src/wire/netlink.ts";
import { ICMPV6, NEIGHBOR_ADVERTISEMENT } from "../../src/wire/ndp.ts";
import { IFA_CACHEINFO, IFA_PROTO, RTM_NEWADDR } from "../../src/wire/rtnetlink.ts";

const LOAD_WORD = 0x20;
const LOAD_BYTE = 0x30;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const LOAD_HALF = 0x28;
const LOAD_NUMBER = 0x00;
const LOAD_X_NUMBER = 0x01;
const LOAD_X_MEMORY = 0x61;
const STORE = 0x02;
const MOVE_TO_X = 0x07;
const LOAD_WORD_BEHIND_X = 0x40;
const LOAD_BYTE_BEHIND_X = 0x50;
const JUMP_IF_EQUAL_X = 0x1d;
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

/** Loads the offset of the attribute of type X behind the offset A, or 0 (SKF_AD_OFF + SKF_AD_NLATTR). */
const FIND_ATTRIBUTE = 0xfffff000 + 12;

/** Behind the headers of a netlink message and of an address (struct nlmsghdr, struct ifaddrmsg). */
const ADDRESS_ATTRIBUTES_AT = 16 + 8;
const MESSAGE_TYPE_AT = 4;
const ATTRIBUTE_HEADER = 4;

/** Of struct ifa_cacheinfo: when the address was made, and when it was last changed. */
const CREATED_AT = ATTRIBUTE_HEADER + 8;
const CHANGED_AT = ATTRIBUTE_HEADER + 12;

/**
 * For a netlink socket that follows addresses: keeps back the news that the lifetime of an address with this mark was
 * refreshed. A thousand of them would wake the program up a hundred times a second to tell it what it did.
 */
export function refreshedAddressFilter(mark: number): Uint8Array {
  const unless = (condition: (toPass: number) => Uint8Array, rest: readonly Uint8Array[]): readonly Uint8Array[] => [
    condition(rest.length),
    ...rest,
  ];
  const attribute = (type: number, rest: readonly Uint8Array[]): readonly Uint8Array[] => [
    instruction(LOAD_X_NUMBER, 0, 0, type),
    instruction(LOAD_NUMBER, 0, 0, ADDRESS_ATTRIBUTES_AT),
    instruction(LOAD_WORD, 0, 0, FIND_ATTRIBUTE),
    ...unless((pass) => instruction(JUMP_IF_EQUAL, pass, 0, 0), [instruction(MOVE_TO_X, 0, 0, 0), ...rest]),
  ];
  const refreshed = attribute(IFA_CACHEINFO, [
    instruction(LOAD_WORD_BEHIND_X, 0, 0, CREATED_AT),
    instruction(STORE, 0, 0, 0),
    instruction(LOAD_WORD_BEHIND_X, 0, 0, CHANGED_AT),
    instruction(LOAD_X_MEMORY, 0, 0, 0),
    instruction(JUMP_IF_EQUAL_X, 1, 0, 0),
    instruction(RETURN, 0, 0, 0),
  ]);
  const ours = attribute(IFA_PROTO, [
    instruction(LOAD_BYTE_BEHIND_X, 0, 0, ATTRIBUTE_HEADER),
    ...unless((pass) => instruction(JUMP_IF_EQUAL, 0, pass, mark), refreshed),
  ]);
  return concatBytes(
    instruction(LOAD_HALF, 0, 0, MESSAGE_TYPE_AT),
    ...unless((pass) => instruction(JUMP_IF_EQUAL, 0, pass, inHostOrder(RTM_NEWADDR)), ours),
    instruction(RETURN, 0, 0, WHOLE_PACKET),
  );
}

/** What a load of 16 bits, in network order, makes of a number that lies there in host order. */
function inHostOrder(value: number): number {
  return LITTLE_ENDIAN ? ((value & 0xff) << 8) | (value >> 8) : value;
}

/** Lets ARP through whose sender says that it has one of these addresses. */
export function arpSenderFilter(senders: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...oneOf(senders, ARP_SENDER_AT));
}

/** struct rtmsg behind the header of 16 bytes. */
const RTM_PROTOCOL_AT = 16 + 5;

/** For a netlink socket of routing news: lets messages of type `all` through, and of `byProtocol` those of one protocol. */
export function netlinkNewsFilter(wanted: { all: number; byProtocol: number; protocol: number }): Uint8Array {
  return concatBytes(
    instruction(LOAD_HALF, 0, 0, MESSAGE_TYPE_AT),
    instruction(JUMP_IF_EQUAL, 3, 0, inHostOrder(wanted.all)),
    instruction(JUMP_IF_EQUAL, 0, 3, inHostOrder(wanted.byProtocol)),
    instruction(LOAD_BYTE, 0, 0, RTM_PROTOCOL_AT),
    instruction(JUMP_IF_EQUAL, 0, 1, wanted.protocol),
    instruction(RETURN, 0, 0, WHOLE_PACKET),
    instruction(RETURN, 0, 0, 0),
  );
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

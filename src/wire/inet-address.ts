// The kernel's internet socket addresses (linux/in.h, linux/in6.h), as raw sockets take them: without a port.

import { needBytes, viewOf } from "./bytes.ts";
import { IPV4_BYTES, IPV6_BYTES } from "./ip.ts";
import { LITTLE_ENDIAN } from "./netlink.ts";

const AF_INET = 2;
const AF_INET6 = 10;

// struct sockaddr_in: u16 family @0, be16 port @2, address @4, zero @8 (8 bytes).
// struct sockaddr_in6: u16 family @0, be16 port @2, be32 flow @4, address @8, u32 interface @24.

const SOCKADDR_IN_BYTES = 16;
const SOCKADDR_IN6_BYTES = 28;

/** Encodes an address of 4 or 16 bytes. IPv6's link-local ones need the index of their interface. */
export function encodeInetAddress(address: Uint8Array, index: number): Uint8Array {
  const v4 = address.length === IPV4_BYTES;
  const out = new Uint8Array(v4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES);
  viewOf(out).setUint16(0, v4 ? AF_INET : AF_INET6, LITTLE_ENDIAN);
  out.set(address, v4 ? 4 : 8);
  if (!v4) viewOf(out).setUint32(24, index, LITTLE_ENDIAN);
  return out;
}

/** The address of a socket address; a RangeError when it is none of these. */
export function decodeInetAddress(bytes: Uint8Array): Uint8Array {
  needBytes(bytes, SOCKADDR_IN_BYTES, "socket address");
  const family = viewOf(bytes).getUint16(0, LITTLE_ENDIAN);
  if (family === AF_INET) return bytes.slice(4, 4 + IPV4_BYTES);
  if (family !== AF_INET6) throw new RangeError(`socket address of family ${family}`);
  needBytes(bytes, SOCKADDR_IN6_BYTES, "IPv6 socket address");
  return bytes.slice(8, 8 + IPV6_BYTES);
}

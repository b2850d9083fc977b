// Raw sockets of IP protocol 112. On IPv4 a packet carries its IP header, both ways. IPv6 packets come and go without theirs,
// so that the hop limit is a filter's business.

import type { Family } from "../../src/base/vip.ts";
import { concatBytes, cString } from "../../src/wire/bytes.ts";
import { encodeLinkAddress } from "../../src/wire/ethernet.ts";
import { encodeInetAddress } from "../../src/wire/inet-address.ts";
import { TOS_CONTROL } from "../../src/wire/ip-header.ts";
import { host32 } from "../../src/wire/netlink.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import { VRRP_GROUP_IPV4, VRRP_GROUP_IPV6, VRRP_HOP_LIMIT, VRRP_PROTOCOL } from "../../src/wire/vrrp.ts";
import { deafFilter, fromLinkFilter } from "./bpf.ts";
import {
  AF_INET,
  AF_INET6,
  AF_PACKET,
  attachFilter,
  bindSocket,
  closeFd,
  openSocket,
  receive,
  setOption,
  SOCK_RAW,
  SOL_SOCKET,
} from "./native.ts";
import type { Fd } from "./native.ts";
import { growBuffer, SO_RCVBUF, SO_RCVBUFFORCE } from "./netlink.ts";

const SO_PRIORITY = 12;
const SO_BINDTODEVICE = 25;
/** The queueing class of interactive traffic (linux/pkt_sched.h), the highest that needs no capability. */
const PRIORITY_INTERACTIVE = 6;

/** More than came in the moment before a socket was bound. */
const MOST_QUEUED = 10_000;

/** Options of IPv4 (linux/in.h). */
const SOL_IP = 0;
const IP_HDRINCL = 3;
const IP_MULTICAST_IF = 32;
const IP_MULTICAST_TTL = 33;
const IP_MULTICAST_LOOP = 34;
const IP_ADD_MEMBERSHIP = 35;
const IP_MULTICAST_ALL = 49;

/** Options of IPv6 (linux/in6.h). */
const SOL_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MULTICAST_IF = 17;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MULTICAST_LOOP = 19;
const IPV6_JOIN_GROUP = 20;
const IPV6_MULTICAST_ALL = 29;
const IPV6_TCLASS = 67;

/** Opens a socket that sends adverts from `source` on a link, and receives nothing. */
export function openAdvertSocket({ name, index }: LinkRecord, source: Uint8Array): Fd {
  const v4 = source.length === 4;
  return opened(v4 ? 4 : 6, (fd) => {
    attachFilter(fd, deafFilter());
    setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, cString(name), "CAP_NET_RAW");
    setOption(fd, SOL_SOCKET, SO_PRIORITY, PRIORITY_INTERACTIVE);
    if (v4) {
      setOption(fd, SOL_IP, IP_HDRINCL, 1);
      setOption(fd, SOL_IP, IP_MULTICAST_IF, membership(new Uint8Array(4), index));
      setOption(fd, SOL_IP, IP_MULTICAST_TTL, VRRP_HOP_LIMIT);
      setOption(fd, SOL_IP, IP_MULTICAST_LOOP, 0);
      return;
    }
    setOption(fd, SOL_IPV6, IPV6_MULTICAST_IF, index);
    setOption(fd, SOL_IPV6, IPV6_MULTICAST_HOPS, VRRP_HOP_LIMIT);
    setOption(fd, SOL_IPV6, IPV6_UNICAST_HOPS, VRRP_HOP_LIMIT);
    setOption(fd, SOL_IPV6, IPV6_MULTICAST_LOOP, 0);
    setOption(fd, SOL_IPV6, IPV6_TCLASS, TOS_CONTROL);
    bindSocket(fd, encodeInetAddress(source, index));
  });
}

/** Opens a socket that sends whole frames on a link, and receives nothing: for adverts from a MAC that is not the link's. */
export function openFrameSocket(): Fd {
  const fd = openSocket(AF_PACKET, SOCK_RAW, 0, "CAP_NET_RAW");
  try {
    attachFilter(fd, deafFilter());
    setOption(fd, SOL_SOCKET, SO_PRIORITY, PRIORITY_INTERACTIVE);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Where one frame of a frame socket goes. */
export function frameTarget({ index }: Pick<LinkRecord, "index">, mac: Uint8Array, protocol: number): Uint8Array {
  return encodeLinkAddress({ protocol, index, mac });
}

/** Opens a socket that receives what is sent to the group on a link; on IPv6 only what no router has forwarded. */
export function openGroupSocket({ name, index }: LinkRecord, family: Family): Fd {
  const group = family === 4 ? VRRP_GROUP_IPV4 : VRRP_GROUP_IPV6;
  return opened(family, (fd) => {
    listenOn(fd, name);
    if (family === 4) {
      setOption(fd, SOL_IP, IP_MULTICAST_ALL, 0);
      setOption(fd, SOL_IP, IP_ADD_MEMBERSHIP, membership(group, index));
    } else {
      attachFilter(fd, fromLinkFilter());
      setOption(fd, SOL_IPV6, IPV6_MULTICAST_ALL, 0);
      setOption(fd, SOL_IPV6, IPV6_JOIN_GROUP, concatBytes(group, host32(index)));
    }
    bindSocket(fd, encodeInetAddress(group, index));
    forgetQueued(fd);
  });
}

/** Opens a socket that receives what is sent to an own address on a link. */
export function openPeerSocket({ name, index }: LinkRecord, own: Uint8Array): Fd {
  return opened(own.length === 4 ? 4 : 6, (fd) => {
    listenOn(fd, name);
    bindSocket(fd, encodeInetAddress(own, index));
    forgetQueued(fd);
  });
}

/** Where one advert of an advert socket goes. */
export function advertTarget({ index }: Pick<LinkRecord, "index">, destination: Uint8Array): Uint8Array {
  return encodeInetAddress(destination, index);
}

function listenOn(fd: Fd, name: string): void {
  setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, cString(name), "CAP_NET_RAW");
  // 255 routers may speak at the same moment.
  growBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
}

/** Before it was bound, the socket took packets from every interface and to every address. */
function forgetQueued(fd: Fd): void {
  const buffer = new Uint8Array(1);
  for (let i = 0; i < MOST_QUEUED; i += 1) if (receive(fd, buffer) === undefined) return;
}

function opened(family: Family, prepare: (fd: Fd) => void): Fd {
  const fd = openSocket(family === 4 ? AF_INET : AF_INET6, SOCK_RAW, VRRP_PROTOCOL, "CAP_NET_RAW");
  try {
    prepare(fd);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

// struct ip_mreqn: group @0, local address @4, i32 interface @8.

function membership(group: Uint8Array, index: number): Uint8Array {
  return concatBytes(group, new Uint8Array(4), host32(index));
}

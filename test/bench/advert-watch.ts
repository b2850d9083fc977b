// What VRRP adverts a switch takes in: from which host, and when by the kernel's clock.

import {
  AF_PACKET,
  bindSocket,
  closeFd,
  openSocket,
  receive,
  SOCK_RAW,
  watchReadable,
} from "../../adapters/linux/native.ts";
import { encodeLinkAddress } from "../../src/wire/ethernet.ts";
import { VRRP_PROTOCOL } from "../../src/wire/vrrp.ts";
import type { Lan } from "../hosts/harness/lan.ts";
import { stampOf } from "../hosts/harness/stamp.ts";

const ETH_P_IP = 0x0800;
const ETH_P_ALL = 0x0003;
const MAX_FRAME_BYTES = 2_048;
/** sll_ifindex and sll_pkttype of struct sockaddr_ll. */
const INDEX_AT = 4;
const PACKET_TYPE_AT = 10;
const PACKET_OUTGOING = 4;
/** In an Ethernet frame: its type, and the protocol of an IPv4 packet in it. */
const TYPE_AT = 12;
const PROTOCOL_AT = 23;

interface Heard {
  /** Interface of the switch. */
  readonly port: number;
  /** Wall clock in milliseconds, by the kernel. */
  readonly at: number;
}

/** Listens to the ports of a LAN's hosts from its making until closed; IPv4 only. */
export class AdvertWatch {
  private readonly heard: Heard[] = [];
  private readonly end: () => void;

  constructor(lan: Lan) {
    const ports = new Set(
      lan.hosts.map(({ port }) => Number(lan.bridge.exec("cat", `/sys/class/net/${port}/ifindex`).trim())),
    );
    this.end = lan.bridge.inside(() => {
      const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
      bindSocket(fd, encodeLinkAddress({ protocol: ETH_P_ALL, index: 0, mac: new Uint8Array() }));
      const buffer = new Uint8Array(MAX_FRAME_BYTES);
      const watch = watchReadable(fd, () => {
        for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer)) {
          const { data, from } = got;
          const port = new DataView(from.buffer, from.byteOffset).getInt32(INDEX_AT, true);
          if (!ports.has(port) || from[PACKET_TYPE_AT] === PACKET_OUTGOING || !isAdvert(data)) continue;
          this.heard.push({ port, at: stampOf(fd) });
        }
      });
      return () => {
        watch.close();
        closeFd(fd);
      };
    });
  }

  /** Times between two adverts of one host that nobody spoke between, in milliseconds. */
  gapsMs(): readonly number[] {
    return this.heard.slice(1).flatMap(({ port, at }, i) => {
      const before = this.heard[i];
      return before?.port === port ? [at - before.at] : [];
    });
  }

  /** How often another host spoke than the one before. */
  changes(): number {
    return this.heard.slice(1).filter(({ port }, i) => this.heard[i]?.port !== port).length;
  }

  close(): void {
    this.end();
  }
}

function isAdvert(frame: Uint8Array): boolean {
  return ((frame[TYPE_AT] ?? 0) << 8) + (frame[TYPE_AT + 1] ?? 0) === ETH_P_IP && frame[PROTOCOL_AT] === VRRP_PROTOCOL;
}

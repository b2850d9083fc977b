// What one host of the LAN sends, as a file that tshark reads.

import {
  AF_PACKET,
  bindSocket,
  closeFd,
  openSocket,
  receive,
  SOCK_RAW,
  watchReadable,
} from "../../adapters/linux/native.ts";
import { concatBytes } from "../../src/wire/bytes.ts";
import { encodeLinkAddress } from "../../src/wire/ethernet.ts";
import type { Lan, Station } from "../hosts/harness/lan.ts";

const ETH_P_ALL = 0x0003;
/** sll_pkttype of struct sockaddr_ll: what goes out of the port has this one. */
const PACKET_TYPE_AT = 10;
const PACKET_OUTGOING = 4;

const MAX_FRAME_BYTES = 2_048;
const LINKTYPE_ETHERNET = 1;

/** Takes in every frame of a host until closed. */
export class Capture {
  readonly frames: Uint8Array[] = [];
  private readonly end: () => void;

  constructor(lan: Lan, { port }: Station) {
    const index = Number(lan.bridge.exec("cat", `/sys/class/net/${port}/ifindex`).trim());
    this.end = lan.bridge.inside(() => {
      const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
      bindSocket(fd, encodeLinkAddress({ protocol: ETH_P_ALL, index, mac: new Uint8Array() }));
      const buffer = new Uint8Array(MAX_FRAME_BYTES);
      const watch = watchReadable(fd, () => {
        for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer))
          if (got.from[PACKET_TYPE_AT] !== PACKET_OUTGOING) this.frames.push(got.data.slice());
      });
      return () => {
        watch.close();
        closeFd(fd);
      };
    });
  }

  close(): void {
    this.end();
  }

  /** The capture as a file of pcap (draft-ietf-opsawg-pcap); its times are not kept. */
  pcap(): Uint8Array {
    const header = Uint32Array.of(0xa1b2c3d4, 2 | (4 << 16), 0, 0, MAX_FRAME_BYTES, LINKTYPE_ETHERNET);
    const record = (frame: Uint8Array): readonly Uint8Array[] => [
      new Uint8Array(Uint32Array.of(0, 0, frame.length, frame.length).buffer),
      frame,
    ];
    return concatBytes(new Uint8Array(header.buffer), ...this.frames.flatMap(record));
  }
}

// What one host of the LAN sends, as a file that tshark reads.

import { concatBytes } from "../../src/wire/bytes.ts";
import type { Lan, Station } from "../hosts/harness/lan.ts";
import { listenAtSwitch, MAX_FRAME_BYTES } from "../hosts/harness/switch-socket.ts";

const LINKTYPE_ETHERNET = 1;

/** Takes in every frame of a host until closed. */
export class Capture {
  readonly frames: Uint8Array[] = [];
  private readonly end: () => void;

  constructor(lan: Lan, machine: Station) {
    this.end = listenAtSwitch(lan, [machine], ({ bytes }) => this.frames.push(bytes.slice()));
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

// What machines of the LAN send, as the switch takes it in. One socket hears all ports, so that the order of packets of different
// machines is the kernel's own.

import {
  AF_PACKET,
  bindSocket,
  closeFd,
  openSocket,
  receive,
  setOption,
  SOCK_RAW,
  SOL_SOCKET,
  watchReadable,
} from "../../../adapters/linux/native.ts";
import { decodeLinkAddress, encodeLinkAddress, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from "../../../src/wire/ethernet.ts";
import { VRRP_PROTOCOL } from "../../../src/wire/vrrp.ts";
import type { Lan, Station } from "./lan.ts";
import { quietly } from "./quietly.ts";
import { bootOffsetMs, stampOf } from "./stamp.ts";

/** Longer frames are cut to this. */
export const MAX_FRAME_BYTES = 2_048;

const ETH_P_ALL = 0x0003;
const SO_RCVBUFFORCE = 33;
const BUFFER_BYTES = 16 * 1024 * 1024;
const PACKET_OUTGOING = 4;

/** A frame that came in. */
export interface SwitchFrame {
  /** Name of the machine that sent it. */
  readonly host: string;
  /** Good until the next frame. */
  readonly bytes: Uint8Array;
  /** When the switch took it in: CLOCK_BOOTTIME in milliseconds. A system call, so only who wants to know asks. */
  stamp(): number;
}

/** Hears what these machines send, until the result is called. `onPause`: all that had come has been told. */
export function listenAtSwitch(
  lan: Lan,
  machines: readonly Station[],
  onFrame: (frame: SwitchFrame) => void,
  onPause: () => void = () => {},
): () => void {
  const hosts = new Map(machines.map((machine) => [machine.portIndex, machine.name]));
  return lan.bridge.inside(() => {
    const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
    // Beyond the system's limit only where the privilege reaches: not in a user namespace.
    quietly(() => setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES));
    bindSocket(fd, encodeLinkAddress({ protocol: ETH_P_ALL, index: 0, mac: new Uint8Array() }));
    const buffer = new Uint8Array(MAX_FRAME_BYTES);
    const watch = watchReadable(fd, () => {
      const offsetMs = bootOffsetMs();
      const stamp = (): number => stampOf(fd) + offsetMs;
      for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer)) {
        const { index, packetType } = decodeLinkAddress(got.from);
        const host = hosts.get(index);
        // What the bridge passes on is seen again on its way out.
        if (host !== undefined && packetType !== PACKET_OUTGOING) onFrame({ host, bytes: got.data, stamp });
      }
      onPause();
    });
    return () => {
      watch.close();
      closeFd(fd);
    };
  });
}

/** Whether a frame carries one of VRRP's adverts. */
export function isAdvert(frame: Uint8Array): boolean {
  const type = new DataView(frame.buffer, frame.byteOffset).getUint16(12);
  const protocol = type === ETHERTYPE_IPV4 ? frame[23] : type === ETHERTYPE_IPV6 ? frame[20] : undefined;
  return protocol === VRRP_PROTOCOL;
}

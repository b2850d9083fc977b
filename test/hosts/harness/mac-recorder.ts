// Watches the switch for who sends anything with a virtual MAC as its Ethernet source, and a client for what its neighbour
// entries say.

import { spawn } from "node:child_process";
import {
  AF_PACKET,
  bindSocket,
  closeFd,
  openSocket,
  receive,
  sendTo,
  setOption,
  SOCK_RAW,
  SOL_SOCKET,
  watchReadable,
} from "../../../adapters/linux/native.ts";
import { isVipdError } from "../../../src/base/errors.ts";
import { concatBytes } from "../../../src/wire/bytes.ts";
import {
  BROADCAST_MAC,
  encodeEthernetHeader,
  encodeLinkAddress,
  ETHERTYPE_ARP,
  formatMac,
  parseMac,
} from "../../../src/wire/ethernet.ts";
import { VRRP_PROTOCOL } from "../../../src/wire/vrrp.ts";
import type { Lan, Station } from "./lan.ts";
import { eventually } from "../../linux/namespaces.ts";
import { bootOffsetMs, stampOf } from "./stamp.ts";

const ETH_P_ALL = 0x0003;
const SO_RCVBUFFORCE = 33;

/** A frame with a virtual MAC as its source. */
export interface VirtualFrame {
  readonly at: number;
  readonly host: string;
  readonly mac: string;
  readonly bytes: Uint8Array;
}

/** Records frames from its making until it is disposed of. */
export class MacRecorder implements Disposable {
  readonly frames: VirtualFrame[] = [];
  private readonly closers: (() => void)[] = [];
  private readonly ports: ReadonlyMap<number, string>;

  constructor(lan: Lan, macs: readonly string[]) {
    const index = ({ port }: Station): number =>
      Number(lan.bridge.exec("cat", `/sys/class/net/${port}/ifindex`).trim());
    this.ports = new Map(lan.machines().map((machine) => [index(machine), machine.name]));
    lan.bridge.inside(() => this.listen(new Set(macs)));
  }

  /** The hosts that sent with the MAC since `from`, each as often as the sender changed. */
  hands(mac: string, from: number): readonly string[] {
    const hosts = this.frames.filter((frame) => frame.mac === mac && frame.at >= from).map(({ host }) => host);
    return hosts.filter((host, i) => host !== hosts[i - 1]);
  }

  /** Waits for one of VRRP's adverts that a host sends with the virtual MAC after `from`. */
  async advert(host: string, mac: string, from: number, withinMs = 5_000): Promise<void> {
    const isMeant = (frame: VirtualFrame): boolean =>
      frame.host === host && frame.mac === mac && frame.at >= from && isAdvert(frame.bytes);
    await eventually(`${host} sends an advert with the virtual MAC`, () => this.frames.some(isMeant), withinMs);
  }

  /** Follows a client's neighbour entries of these addresses. */
  followNeighbours(client: Station, ips: readonly string[]): NeighbourEntries {
    return new NeighbourEntries(client, ips);
  }

  [Symbol.dispose](): void {
    for (const close of this.closers.splice(0)) close();
  }

  private listen(macs: ReadonlySet<string>): void {
    const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
    setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, 16 * 1024 * 1024);
    bindSocket(fd, encodeLinkAddress({ protocol: ETH_P_ALL, index: 0, mac: new Uint8Array() }));
    const buffer = new Uint8Array(2_048);
    const watch = watchReadable(fd, () => {
      const offsetMs = bootOffsetMs();
      for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer)) {
        const mac = formatMac(got.data.subarray(6, 12));
        const link = new DataView(got.from.buffer, got.from.byteOffset, got.from.byteLength);
        const host = this.ports.get(link.getInt32(4, true));
        if (host === undefined || link.getUint8(10) === 4 || !macs.has(mac)) continue;
        this.frames.push({ at: stampOf(fd) + offsetMs, host, mac, bytes: got.data.slice(0, 128) });
      }
    });
    this.closers.push(() => {
      watch.close();
      closeFd(fd);
    });
  }
}

function isAdvert(frame: Uint8Array): boolean {
  const [high, low] = frame.subarray(12, 14);
  const protocol = high === 0x08 && low === 0x00 ? frame[23] : high === 0x86 && low === 0xdd ? frame[20] : undefined;
  return protocol === VRRP_PROTOCOL;
}

/** Has a program of a host send broadcasts that claim nothing, with this source MAC, out of each of these interfaces; what the kernel said to each. */
export function forge(host: Station, mac: string, links: readonly string[]): readonly ("sent" | "refused")[] {
  const source = parseMac(mac) ?? new Uint8Array(6);
  const frame = concatBytes(encodeEthernetHeader(BROADCAST_MAC, source, ETHERTYPE_ARP), new Uint8Array(46));
  return links.map((link) => {
    const index = Number(host.namespace.exec("cat", `/sys/class/net/${link}/ifindex`).trim());
    const fd = host.namespace.inside(() => openSocket(AF_PACKET, SOCK_RAW, 0));
    try {
      sendTo(fd, frame, encodeLinkAddress({ protocol: ETHERTYPE_ARP, index, mac: BROADCAST_MAC }));
      return "sent";
    } catch (error) {
      if (!isVipdError(error, "kernel")) throw error;
      return "refused";
    } finally {
      closeFd(fd);
    }
  });
}

/** What a client's neighbour entries have said since it was made, as `ip monitor` tells. */
export class NeighbourEntries implements Disposable {
  private readonly client: Station;
  private readonly ips: readonly string[];
  private readonly end: () => void;
  private text = "";

  constructor(client: Station, ips: readonly string[]) {
    this.client = client;
    this.ips = ips;
    const child = spawn("ip", ["netns", "exec", client.namespace.name, "ip", "monitor", "neigh"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.text += text));
    this.end = () => child.kill();
  }

  /** The MACs that the client has now. */
  now(): readonly (string | undefined)[] {
    return this.ips.map((ip) => macsIn(this.client.namespace.exec("ip", "neigh", "show", ip), ip).at(-1));
  }

  /** All MACs that it has had for each address. */
  ever(): readonly (readonly string[])[] {
    const now = this.now();
    return this.ips.map((ip, i) => [...new Set([...macsIn(this.text, ip), now[i] ?? "none"])]);
  }

  [Symbol.dispose](): void {
    this.end();
  }
}

function macsIn(text: string, ip: string): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const mac = line.startsWith(`${ip} `) ? / lladdr (\S+)/u.exec(line)?.[1] : undefined;
    return mac === undefined ? [] : [mac];
  });
}

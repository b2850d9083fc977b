// Watches the switch for who sends anything with a virtual MAC as its Ethernet source, and a client for what its neighbour
// entries say.

import { spawn } from "node:child_process";
import { AF_PACKET, closeFd, openSocket, sendTo, SOCK_RAW } from "../../../adapters/linux/native.ts";
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
import type { Lan, Station } from "./lan.ts";
import { eventually } from "../../linux/namespaces.ts";
import { isAdvert, listenAtSwitch } from "./switch-socket.ts";

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
  private readonly end: () => void;

  constructor(lan: Lan, macs: readonly string[]) {
    const wanted = new Set(macs);
    this.end = listenAtSwitch(lan, lan.machines(), ({ host, bytes, stamp }) => {
      const mac = formatMac(bytes.subarray(6, 12));
      if (wanted.has(mac)) this.frames.push({ at: stamp(), host, mac, bytes: bytes.slice(0, 128) });
    });
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
    this.end();
  }
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

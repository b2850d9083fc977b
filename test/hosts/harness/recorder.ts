// Watches the switch: who sends anything in the name of a VIP (ARP, neighbour advertisements, echo replies), in the order
// of arrival, while the client keeps asking all hosts by ARP or NDP and pings the VIP.

import {
  AF_INET,
  AF_INET6,
  AF_PACKET,
  bootTimeMs,
  closeFd,
  openSocket,
  receive,
  sendTo,
  SOCK_DGRAM,
  SOCK_RAW,
} from "../../../adapters/linux/native.ts";
import { be16, concatBytes } from "../../../src/wire/bytes.ts";
import { encodeLinkAddress, parseMac } from "../../../src/wire/ethernet.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import type { Lan, Station } from "./lan.ts";
import { quietly } from "./quietly.ts";
import { listenAtSwitch, type SwitchFrame } from "./switch-socket.ts";

const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;

/** A packet in a VIP's name. */
export interface Answer {
  /** CLOCK_BOOTTIME in milliseconds at which the switch took it in. */
  readonly at: number;
  /** Name of the host that sent it. */
  readonly host: string;
  readonly ip: string;
  readonly kind: "arp" | "neighbour" | "echo";
}

/** A change of the host that answers, on the wire. */
export interface Run {
  readonly host: string;
  readonly first: number;
  readonly last: number;
}

/** The changes of who is heard. */
export function runsOf(heard: readonly { readonly at: number; readonly host: string }[]): readonly Run[] {
  const runs: { host: string; first: number; last: number }[] = [];
  for (const { at, host } of heard) {
    const last = runs.at(-1);
    if (last?.host === host) last.last = at;
    else runs.push({ host, first: at, last: at });
  }
  return runs;
}

/**
 * Who should have answered when a fault moved a VIP at will: the holder, then each host that was not heard before. One that
 * was heard before and speaks again, after another has, is out of turn.
 */
export function newcomers(holder: string, hands: readonly string[]): readonly string[] {
  return [...new Set([holder, ...hands])];
}

/** Records answers for the given addresses from its making until it is closed. */
export class Recorder {
  readonly answers: Answer[] = [];
  private readonly lan: Lan;
  private readonly ips: ReadonlyMap<string, string>;
  private readonly closers: (() => void)[] = [];
  private readonly waiters = new Set<() => void>();
  /** When the client pinged each address. */
  private readonly pings = new Map<string, number[]>();
  private readonly everyMs: number;

  constructor(lan: Lan, ips: readonly string[], everyMs = 2) {
    this.everyMs = everyMs;
    this.lan = lan;
    this.ips = new Map(ips.map((ip) => [hex(ipBytes(ip)), ip]));
    const tellAll = (): void => {
      for (const tell of [...this.waiters]) tell();
    };
    this.closers.push(listenAtSwitch(lan, lan.hosts, (frame) => this.take(frame), tellAll));
    lan.client.namespace.inside(() => {
      for (const ip of ips) this.ask(ip, everyMs);
    });
  }

  close(): void {
    for (const close of this.closers.splice(0)) close();
  }

  /** Who answered for the address, one after the other, from `from` until before `to`. */
  runs(ip: string, from = 0, to = Number.POSITIVE_INFINITY): readonly Run[] {
    return runsOf(this.answers.filter((answer) => answer.ip === ip && answer.at >= from && answer.at < to));
  }

  /** The hosts of the runs. */
  hands(ip: string, from = 0): readonly string[] {
    return this.runs(ip, from).map((run) => run.host);
  }

  /**
   * For how long anybody but the expected host answered, in milliseconds. `hands`: who should have answered, one after the
   * other; each one's time begins with its first answer. 0: the wire showed exactly these, one at a time.
   */
  overlapMs(ip: string, hands: readonly string[], from = 0): number {
    let turn = 0;
    let began = from;
    let worst = 0;
    for (const { at, host, ip: answered } of this.answers) {
      if (answered !== ip || at < from || host === hands[turn]) continue;
      if (host === hands[turn + 1]) {
        turn += 1;
        began = at;
      } else worst = Math.max(worst, at - began, 0.001);
    }
    return worst;
  }

  /**
   * The longest time that the client waited for an echo from the address, in milliseconds. Only time in which it asked
   * counts, so that a recorder that is kept from asking sees no gap of the address. The end of the time counts too.
   */
  gapMs(ip: string, from: number, to = bootTimeMs()): number {
    const echoes = this.answers
      .filter((a) => a.ip === ip && a.kind === "echo" && a.at >= from && a.at <= to)
      .map((a) => a.at);
    const pings = this.pings.get(ip) ?? [];
    let worst = 0;
    let next = 0;
    for (const [i, at] of [...echoes, to].entries()) {
      const before = echoes[i - 1] ?? from;
      while ((pings[next] ?? Number.POSITIVE_INFINITY) <= before) next += 1;
      const asked = pings[next] ?? at;
      worst = Math.max(worst, at - Math.max(before, asked - this.everyMs));
    }
    return worst;
  }

  /** Forgets all that was recorded. */
  forget(): void {
    this.answers.length = 0;
    for (const pings of this.pings.values()) pings.length = 0;
  }

  /** The first answer of that kind after `from` for the address by the host; rejects when none comes in time. */
  async answered(ip: string, by: (host: string) => boolean, from: number, withinMs = 10_000): Promise<Answer> {
    const find = (): Answer | undefined =>
      this.answers.findLast((a) => a.ip === ip && a.kind === "echo" && a.at >= from && by(a.host));
    const end = bootTimeMs() + withinMs;
    for (let found = find(); ; found = find()) {
      if (found !== undefined) return found;
      const restMs = end - bootTimeMs();
      if (restMs <= 0) throw new Error(`nobody fitting answered for ${ip} within ${withinMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, restMs);
        const { waiters } = this;
        function done(): void {
          clearTimeout(timer);
          waiters.delete(done);
          resolve();
        }
        waiters.add(done);
      });
    }
  }

  private take({ host, bytes, stamp }: SwitchFrame): void {
    const seen = speakerOf(bytes);
    const ip = seen === undefined ? undefined : this.ips.get(seen.ip);
    if (seen === undefined || ip === undefined) return;
    this.answers.push({ at: stamp(), host, ip, kind: seen.kind });
  }

  private ask(ip: string, everyMs: number): void {
    const resolve = resolver(this.lan.client, ip);
    const ping = pinger(ip);
    const pings: number[] = [];
    this.pings.set(ip, pings);
    const timer = setInterval(() => {
      resolve.ask();
      pings.push(bootTimeMs());
      ping.ask();
    }, everyMs);
    this.closers.push(() => {
      clearInterval(timer);
      resolve.close();
      ping.close();
    });
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** In whose name a frame speaks, when it is of a kind that counts. */
function speakerOf(frame: Uint8Array): { ip: string; kind: Answer["kind"] } | undefined {
  const type = hex(frame.subarray(12, 14));
  if (type === "0806") return { ip: hex(frame.subarray(28, 32)), kind: "arp" };
  if (type === "0800")
    return frame[23] === IPPROTO_ICMP && frame[34] === 0
      ? { ip: hex(frame.subarray(26, 30)), kind: "echo" }
      : undefined;
  if (type !== "86dd" || frame[20] !== IPPROTO_ICMPV6) return undefined;
  if (frame[54] === 136) return { ip: hex(frame.subarray(62, 78)), kind: "neighbour" };
  return frame[54] === 129 ? { ip: hex(frame.subarray(22, 38)), kind: "echo" } : undefined;
}

interface Asker {
  ask(): void;
  close(): void;
}

/** Asks every host by ARP, or by a neighbour solicitation to all nodes, who has the address. */
function resolver(client: Station, ip: string): Asker {
  const index = Number(client.namespace.exec("cat", "/sys/class/net/eth0/ifindex").trim());
  const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
  const own = parseMac(client.mac) ?? new Uint8Array(6);
  const frame = ip.includes(":") ? solicitation(client, own, ip) : arpRequest(client, own, ip);
  const to = encodeLinkAddress({ protocol: 0, index, mac: frame.subarray(0, 6) });
  return { ask: () => quietly(() => sendTo(fd, frame, to)), close: () => closeFd(fd) };
}

function arpRequest(client: Station, own: Uint8Array, ip: string): Uint8Array {
  const head = [new Uint8Array(6).fill(0xff), own, be16(0x0806), be16(1), be16(0x0800), Uint8Array.of(6, 4), be16(1)];
  return concatBytes(...head, own, ipBytes(client.ip), new Uint8Array(6), ipBytes(ip));
}

/** RFC 4861, 4.3. The kernel takes it with a right checksum and hop limit 255 only. */
function solicitation(client: Station, own: Uint8Array, ip: string): Uint8Array {
  const target = ipBytes(ip);
  const group = concatBytes(ipBytes("ff02::1:ff00:0").subarray(0, 13), target.subarray(13));
  const mac = concatBytes(Uint8Array.of(0x33, 0x33), group.subarray(12));
  const message = concatBytes(Uint8Array.of(135, 0, 0, 0, 0, 0, 0, 0), target, Uint8Array.of(1, 1), own);
  const pseudo = concatBytes(
    ipBytes(client.ip6),
    group,
    be16(0),
    be16(message.length),
    Uint8Array.of(0, 0, 0, IPPROTO_ICMPV6),
  );
  message.set(be16(checksum(concatBytes(pseudo, message))), 2);
  const header = concatBytes(Uint8Array.of(0x60, 0, 0, 0), be16(message.length), Uint8Array.of(IPPROTO_ICMPV6, 255));
  return concatBytes(mac, own, be16(0x86dd), header, ipBytes(client.ip6), group, message);
}

function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

/** Sends echo requests from a ping socket, whose identifier and checksum are the kernel's business. */
function pinger(ip: string): Asker {
  const v6 = ip.includes(":");
  const fd = openSocket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
  const to = v6
    ? concatBytes(Uint8Array.of(AF_INET6, 0), new Uint8Array(6), ipBytes(ip), new Uint8Array(4))
    : concatBytes(Uint8Array.of(AF_INET, 0), new Uint8Array(2), ipBytes(ip), new Uint8Array(8));
  const drain = new Uint8Array(256);
  let sequence = 0;
  return {
    ask: () => {
      while (quietly(() => receive(fd, drain)) !== undefined);
      sequence = (sequence + 1) & 0xffff;
      quietly(() => sendTo(fd, concatBytes(Uint8Array.of(v6 ? 128 : 8, 0, 0, 0, 0, 0), be16(sequence)), to));
    },
    close: () => closeFd(fd),
  };
}

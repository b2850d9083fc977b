// A stream of questions to an address, by ARP, neighbour discovery or UDP, and which of them were answered.

import {
  AF_INET,
  AF_INET6,
  AF_PACKET,
  bindSocket,
  bootTimeMs,
  closeFd,
  openSocket,
  receive,
  sendTo,
  setOption,
  SOCK_DGRAM,
  watchReadable,
} from "../../adapters/linux/native.ts";
import { arpProbe, decodeArp, encodeArp } from "../../src/wire/arp.ts";
import { be16, be32, concatBytes, sameBytes, viewOf } from "../../src/wire/bytes.ts";
import {
  BROADCAST_MAC,
  encodeLinkAddress,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  ipv6MulticastMac,
  parseMac,
} from "../../src/wire/ethernet.ts";
import { ipBytes } from "../../src/wire/ip.ts";
import { dadSolicitation, decodeNdp, encodeNdp, NEIGHBOR_ADVERTISEMENT, solicitedNode } from "../../src/wire/ndp.ts";
import type { Namespace, Wire } from "./namespaces.ts";
import { eventually } from "./namespaces.ts";

const PORT = 7007;
const SOL_IP = 0;
const IP_FREEBIND = 15;
const SOL_IPV6 = 41;
const IPV6_FREEBIND = 78;

function socketAddress(ip: string, port: number): Uint8Array {
  const bytes = ipBytes(ip);
  if (bytes.length === 4) return concatBytes(Uint8Array.of(AF_INET, 0), be16(port), bytes, new Uint8Array(8));
  return concatBytes(Uint8Array.of(AF_INET6, 0), be16(port), new Uint8Array(4), bytes, new Uint8Array(4));
}

/** A UDP socket bound to `ip`, which need not be there yet; call it inside a namespace. */
export function udpSocket(ip: string, port: number): number {
  const v6 = ip.includes(":");
  const fd = openSocket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
  setOption(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_FREEBIND : IP_FREEBIND, 1);
  bindSocket(fd, socketAddress(ip, port));
  return fd;
}

/** Sends one datagram to `ip`; false when the kernel keeps it in. */
export function sendUdp(fd: number, ip: string, port: number): boolean {
  try {
    sendTo(fd, Uint8Array.of(1), socketAddress(ip, port));
    return true;
  } catch {
    return false;
  }
}

/** Answers every UDP datagram to `ip`, in `namespace`, until the wire closes. */
export function echo(wire: Wire, namespace: Namespace, ip: string): void {
  const fd = namespace.inside(() => udpSocket(ip, PORT));
  const buffer = new Uint8Array(64);
  const watch = watchReadable(fd, () => {
    for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer)) {
      try {
        sendTo(fd, got.data, got.from.slice());
      } catch {
        // The fence refuses the answer: then there is none, and the asker sees it.
      }
    }
  });
  wire.onClose(() => {
    watch.close();
    closeFd(fd);
  });
}

/** One question of a stream. */
export interface Question {
  /** When it was asked, on CLOCK_BOOTTIME in milliseconds. */
  readonly at: number;
  answered: boolean;
}

/** What a stream of questions has seen. */
export interface Stream {
  readonly name: string;
  readonly questions: readonly Question[];
}

/** How often a stream asks. */
export const ASK_EVERY_MS = 5;

/** Asks by ARP from the peer who has `ip`, until the wire closes. */
export function askArp(wire: Wire, ip: string): Stream {
  const target = ipBytes(ip);
  const { index, mac } = wire.peerLink();
  const { fd, send } = packetSocket(wire, ETHERTYPE_ARP, index, BROADCAST_MAC);
  const question = encodeArp(arpProbe(parseMac(mac) ?? BROADCAST_MAC, target));
  const isAnswer = (data: Uint8Array): boolean => sameBytes(decodeArp(data)?.senderIp ?? new Uint8Array(), target);
  return stream(wire, `ARP ${ip}`, fd, {
    ask: () => send(question),
    answers: (data) => (isAnswer(data) ? "latest" : undefined),
  });
}

/** Asks by neighbour solicitation from the peer who has `ip`, until the wire closes. */
export function askNeighbour(wire: Wire, ip: string): Stream {
  const target = ipBytes(ip);
  const { fd, send } = packetSocket(
    wire,
    ETHERTYPE_IPV6,
    wire.peerLink().index,
    ipv6MulticastMac(solicitedNode(target)),
  );
  const question = encodeNdp(dadSolicitation(target));
  const isAnswer = (data: Uint8Array): boolean => {
    const message = data.length >= 64 ? decodeNdp(data) : undefined;
    return message?.type === NEIGHBOR_ADVERTISEMENT && sameBytes(message.target, target);
  };
  return stream(wire, `NS ${ip}`, fd, {
    ask: () => send(question),
    answers: (data) => (isAnswer(data) ? "latest" : undefined),
  });
}

/** Asks by UDP from `namespace`, or else from the peer, until the wire closes. */
export function askUdp(wire: Wire, ip: string, namespace = wire.peer): Stream {
  const fd = namespace.inside(() => openSocket(ip.includes(":") ? AF_INET6 : AF_INET, SOCK_DGRAM, 0));
  const to = socketAddress(ip, PORT);
  const answers = (data: Uint8Array): number => viewOf(data).getUint32(0);
  return stream(wire, `UDP ${ip}`, fd, { ask: (number) => sendTo(fd, be32(number), to), answers });
}

function packetSocket(
  wire: Wire,
  protocol: number,
  index: number,
  to: Uint8Array,
): { fd: number; send: (data: Uint8Array) => void } {
  const fd = wire.peer.inside(() => openSocket(AF_PACKET, SOCK_DGRAM, 0));
  bindSocket(fd, encodeLinkAddress({ protocol, index, mac: new Uint8Array() }));
  const address = encodeLinkAddress({ protocol, index, mac: to });
  return { fd, send: (data) => sendTo(fd, data, address) };
}

interface Talk {
  readonly ask: (number: number) => void;
  /** Which question this answers. The kernel answers ARP and NS at once, so those belong to the latest. */
  readonly answers: (data: Uint8Array) => number | "latest" | undefined;
}

function stream(wire: Wire, name: string, fd: number, { ask, answers }: Talk): Stream {
  const questions: Question[] = [];
  const buffer = new Uint8Array(256);
  const drain = (): void => {
    for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer)) {
      const number = answers(got.data);
      const question = number === undefined ? undefined : questions.at(number === "latest" ? -1 : number);
      if (question !== undefined) question.answered = true;
    }
  };
  const once = (): void => {
    drain();
    questions.push({ at: bootTimeMs(), answered: false });
    try {
      ask(questions.length - 1);
    } catch {
      // The asker's own fence keeps the question in: then it has no answer.
    }
  };
  const timer = setInterval(once, ASK_EVERY_MS);
  const watch = watchReadable(fd, drain);
  wire.onClose(() => {
    clearInterval(timer);
    watch.close();
    closeFd(fd);
  });
  return { name, questions };
}

/** Waits until each stream has asked `count` more questions, and one behind them, then gives those `count`. */
export async function nextQuestions(streams: readonly Stream[], count = 12): Promise<readonly (readonly Question[])[]> {
  const starts = streams.map(({ questions }) => questions.length);
  const asked = (): boolean => streams.every(({ questions }, i) => questions.length > (starts[i] ?? 0) + count);
  await eventually(`${count} more questions`, asked);
  return streams.map(({ questions }, i) => questions.slice(starts[i] ?? 0, (starts[i] ?? 0) + count));
}

/** The names of those streams that got an answer to one of their next questions. */
export async function whoAnswers(streams: readonly Stream[]): Promise<string[]> {
  const heard = await nextQuestions(streams);
  return streams.filter((_, i) => heard[i]?.some(({ answered }) => answered)).map(({ name }) => name);
}

/** Waits until each stream is answered. */
export async function untilAnswered(streams: readonly Stream[]): Promise<void> {
  const starts = streams.map(({ questions }) => questions.length);
  const all = (): boolean =>
    streams.every(({ questions }, i) => questions.slice(starts[i]).some(({ answered }) => answered));
  await eventually("answers to all streams", all);
}

/** When the last question that got an answer was asked; NaN when none did. */
export function lastAnswered({ questions }: Stream): number {
  return questions.findLast(({ answered }) => answered)?.at ?? Number.NaN;
}

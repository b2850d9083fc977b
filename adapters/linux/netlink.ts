// One netlink socket for questions. The kernel answers before sendto returns, so asking is synchronous.

import { VipdError } from "../../src/base/errors.ts";
import { concatBytes } from "../../src/wire/bytes.ts";
import type { NetlinkMessage, NetlinkVerdict } from "../../src/wire/netlink.ts";
import {
  decodeDone,
  decodeMessages,
  decodeVerdict,
  encodeMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "../../src/wire/netlink.ts";
import { decodeNetlinkPort, encodeNetlinkAddress } from "../../src/wire/rtnetlink.ts";
import { kernelError } from "./errors.ts";
import {
  AF_NETLINK,
  bindSocket,
  closeFd,
  openSocket,
  receive,
  sendTo,
  setOption,
  SOCK_RAW,
  socketName,
  SOL_NETLINK,
  SOL_SOCKET,
} from "./native.ts";
import type { Fd } from "./native.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const NETLINK_EXT_ACK = 11;
const NETLINK_CAP_ACK = 10;
const NETLINK_GET_STRICT_CHK = 12;
const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
const BUFFER_BYTES = 64 * 1024;
const KERNEL_BUFFER_BYTES = 4 * 1024 * 1024;

/** How many things one datagram does: the kernel may answer each, and its answers must fit into the socket. */
const BATCH = 256;

/** How often a dump that the kernel calls inconsistent is asked again. */
const DUMP_ATTEMPTS = 5;

/** One message of a request, before it has a sequence number. */
export interface Request {
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

/** Opens a netlink socket, bound, with room for large transactions. */
export function openNetlink(protocol: number, groups = 0): Fd {
  const fd = openSocket(AF_NETLINK, SOCK_RAW, protocol);
  try {
    setOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    setOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 0);
    growBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    growBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    bindSocket(fd, encodeNetlinkAddress(groups));
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Has the kernel say why it refuses (4.12 and newer), and leave out of lists what is not asked for (5.0 and newer). */
function askForDetails(fd: Fd): void {
  for (const option of [NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK])
    try {
      setOption(fd, SOL_NETLINK, option, 1);
    } catch {
      // An older kernel: the reader of its answers expects neither.
    }
}

/** Gives a socket a buffer of 4 MB; in a user namespace the limit cannot be passed, then as much as the limit allows. */
export function growBuffer(fd: Fd, force: number, plain: number): void {
  try {
    setOption(fd, SOL_SOCKET, force, KERNEL_BUFFER_BYTES);
  } catch {
    setOption(fd, SOL_SOCKET, plain, KERNEL_BUFFER_BYTES);
  }
}

/** A netlink socket that asks and gets its answers at once. */
export class NetlinkSocket {
  readonly #fd: Fd;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #what: string;
  #seq = 0;
  #open = true;
  /** The socket's netlink port, by which the kernel knows owners. */
  readonly port: number;

  /**
   * @param what names the socket in errors, as "rtnetlink".
   * @param detailed whether the kernel shall say why it refuses, and filter its lists.
   */
  constructor(protocol: number, what: string, detailed = false) {
    this.#what = what;
    this.#fd = openNetlink(protocol);
    if (detailed) askForDetails(this.#fd);
    this.port = decodeNetlinkPort(socketName(this.#fd));
  }

  /** Does one thing; throws the kernel's refusal. */
  request(call: string, request: Request): void {
    const errno = this.attempt(request);
    if (errno !== 0) throw kernelError(`${this.#what} ${call}`, errno);
  }

  /** Does one thing; 0 or the errno of the refusal. */
  attempt(request: Request): number {
    const [verdict] = this.exchange([{ ...request, flags: request.flags | NLM_F_ACK }]).verdicts;
    if (verdict === undefined) throw this.#silence();
    return verdict.errno;
  }

  /**
   * Does several things, each for itself; 0 or the errno of the refusal of each. The kernel goes through a datagram in
   * order and tells of refusals unasked (netlink_rcv_skb), so the last one alone is confirmed.
   */
  attemptAll(requests: readonly Request[]): readonly number[] {
    return this.verdictsOn(requests).map(({ errno }) => errno);
  }

  /** The same; the kernel's verdict on each, in their order. */
  verdictsOn(requests: readonly Request[]): readonly NetlinkVerdict[] {
    const verdicts: NetlinkVerdict[] = [];
    for (let at = 0; at < requests.length; at += BATCH)
      verdicts.push(...this.#verdictsOnDatagram(requests.slice(at, at + BATCH)));
    return verdicts;
  }

  #verdictsOnDatagram(requests: readonly Request[]): readonly NetlinkVerdict[] {
    const last = requests.length - 1;
    const { first, verdicts } = this.exchange(
      requests.map((each, i) => (i === last ? { ...each, flags: each.flags | NLM_F_ACK } : each)),
    );
    if (!verdicts.some(({ seq }) => seq === first + last)) throw this.#silence();
    const told = new Map(verdicts.map((verdict) => [verdict.seq, verdict]));
    return requests.map((_, i) => told.get(first + i) ?? { errno: 0, seq: first + i });
  }

  /** Asks for one object; undefined when the kernel has none (`missing` errno). */
  get(call: string, request: Request, missing: number): NetlinkMessage | undefined {
    const { messages, verdicts } = this.exchange([request]);
    const errno = verdicts.find((verdict) => verdict.errno !== 0)?.errno;
    if (errno === missing) return undefined;
    if (errno !== undefined) throw kernelError(`${this.#what} ${call}`, errno);
    const [message] = messages;
    if (message === undefined) throw this.#silence();
    return message;
  }

  /** All objects of a kind. A dump that changed underneath is asked again, a few times. */
  dump(call: string, request: Request): readonly NetlinkMessage[] {
    for (let attempt = 1; attempt <= DUMP_ATTEMPTS; attempt++) {
      const { messages, verdicts, interrupted } = this.exchange([{ ...request, flags: request.flags | NLM_F_DUMP }]);
      const errno = verdicts.find((verdict) => verdict.errno !== 0)?.errno;
      if (errno !== undefined) throw kernelError(`${this.#what} ${call}`, errno);
      if (verdicts.length === 0) throw this.#silence();
      if (!interrupted) return messages;
    }
    throw new VipdError("kernel", `${this.#what} ${call}: the list kept changing while it was read`, { call });
  }

  /** Sends messages in one datagram and takes all that comes back. The sequence number of request n is `first` + n. */
  exchange(requests: readonly Request[]): Exchange {
    if (!this.#open) throw new VipdError("kernel", `the ${this.#what} socket is closed`, { call: "sendto" });
    const first = this.#seq + 1;
    this.#seq = (this.#seq + requests.length) % 0x7fffffff;
    const datagram = requests.map((request, i) =>
      encodeMessage({ ...request, flags: request.flags | NLM_F_REQUEST, seq: first + i }),
    );
    sendTo(this.#fd, concatBytes(...datagram));
    return this.#collect(first, requests.length);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeFd(this.#fd);
  }

  #collect(first: number, count: number): Exchange {
    const messages: NetlinkMessage[] = [];
    const verdicts: NetlinkVerdict[] = [];
    let interrupted = false;
    for (;;) {
      const datagram = receive(this.#fd, this.#buffer);
      if (datagram === undefined) return { first, messages, verdicts, interrupted };
      if (datagram.lost > 0)
        throw new VipdError("kernel", `${this.#what}: an answer did not fit`, { lost: datagram.lost });
      for (const message of decodeMessages(datagram.data.slice())) {
        if (message.seq < first || message.seq >= first + count) continue;
        interrupted ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_ERROR) verdicts.push(decodeVerdict(message.payload, message.flags));
        else if (message.type === NLMSG_DONE) verdicts.push({ errno: decodeDone(message.payload), seq: message.seq });
        else messages.push(message);
      }
    }
  }

  #silence(): VipdError {
    return new VipdError("kernel", `${this.#what}: the kernel gave no answer`, { call: this.#what });
  }
}

/** What came back for one datagram. */
export interface Exchange {
  /** Sequence number of the first request. */
  readonly first: number;
  readonly messages: readonly NetlinkMessage[];
  readonly verdicts: readonly NetlinkVerdict[];
  /** The kernel says that a dump is inconsistent. */
  readonly interrupted: boolean;
}

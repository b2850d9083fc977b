// The native bridge (with native-spawn.ts): libc's system calls through koffi. Everything above it works on bytes and descriptors.
//
// Three things about koffi.node.poll shape `watchReadable`: the handle is closed when it is collected, so we keep it;
// its callback gets (status, events), and what it throws is lost, so it only schedules; libuv stops polling on POLLERR
// (a netlink overrun, a link that went down), so we start it again after the owner has drained the socket.

import koffi from "koffi";
import { VipdError } from "../../src/base/errors.ts";
import { EAGAIN, EINTR, ENOPROTOOPT, EPERM, errnoOf, kernelError } from "./errors.ts";
import type { Capability } from "./errors.ts";

const libc = koffi.load(null);
const calls = {
  socket: libc.func("int socket(int domain, int type, int protocol)"),
  bind: libc.func("int bind(int fd, const void *address, uint32_t length)"),
  getsockname: libc.func("int getsockname(int fd, void *address, void *length)"),
  setsockopt: libc.func("int setsockopt(int fd, int level, int option, const void *value, uint32_t length)"),
  getsockopt: libc.func("int getsockopt(int fd, int level, int option, void *value, void *length)"),
  sendto: libc.func(
    "intptr_t sendto(int fd, const void *data, size_t length, int flags, const void *address, uint32_t addressLength)",
  ),
  recvfrom: libc.func(
    "intptr_t recvfrom(int fd, void *data, size_t length, int flags, void *address, void *addressLength)",
  ),
  close: libc.func("int close(int fd)"),
  flock: libc.func("int flock(int fd, int operation)"),
  clock: libc.func("int clock_gettime(int clock, void *time)"),
  setns: libc.func("int setns(int fd, int kind)"),
  createTimer: libc.func("int timerfd_create(int clock, int flags)"),
  setTimer: libc.func("int timerfd_settime(int fd, int flags, const void *when, void *before)"),
  read: libc.func("intptr_t read(int fd, void *data, size_t length)"),
};

const filterProgram = koffi.struct({ length: "uint16_t", code: "const void *" });
const setFilter = libc.func("setsockopt", "int", ["int", "int", "int", koffi.pointer(filterProgram), "uint32_t"]);

/** Address families and socket types of the calls below. */
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;

export const SOL_SOCKET = 1;
export const SOL_NETLINK = 270;
const SO_PEERCRED = 17;
const SO_NETNS_COOKIE = 71;
const SO_ATTACH_FILTER = 26;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_TRUNC = 0x20;
const LOCK_EX_NB = 2 | 4;
const CLOCK_BOOTTIME = 7;
const TFD_TIMER_ABSTIME = 1;
const CLONE_NEWNET = 0x40000000;
const SOCKADDR_BYTES = 128;

/** A file descriptor. */
export type Fd = number;

/** A datagram and who sent it. Both views are good until the next receive on the same buffer. */
export interface Datagram {
  readonly data: Uint8Array;
  readonly from: Uint8Array;
  /** Bytes of the datagram that did not fit in the buffer. */
  readonly lost: number;
}

/** A descriptor that is being watched; closing it twice does no harm. */
export interface Watch {
  close(): void;
  /** This process need not live on for it. */
  unref(): void;
}

/** Opens a close-on-exec, non-blocking socket. */
export function openSocket(domain: number, type: number, protocol: number, capability?: Capability): Fd {
  return checked("socket", calls.socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), capability);
}

/** Binds a socket to a raw socket address. */
export function bindSocket(fd: Fd, address: Uint8Array): void {
  checked("bind", calls.bind(fd, address, address.length));
}

/** The socket's own address. */
export function socketName(fd: Fd): Uint8Array {
  const address = new Uint8Array(SOCKADDR_BYTES);
  const length = Uint32Array.of(SOCKADDR_BYTES);
  checked("getsockname", calls.getsockname(fd, address, length));
  return address.subarray(0, length[0] ?? 0);
}

/** Sets a socket option: a number is an int, bytes go as they are. */
export function setOption(
  fd: Fd,
  level: number,
  option: number,
  value: number | Uint8Array,
  capability?: Capability,
): void {
  const bytes = typeof value === "number" ? new Uint8Array(Int32Array.of(value).buffer) : value;
  checked("setsockopt", calls.setsockopt(fd, level, option, bytes, bytes.length), capability);
}

/** Reads a socket option of at most `length` bytes. */
export function getOption(fd: Fd, level: number, option: number, length: number): Uint8Array {
  const value = new Uint8Array(length);
  const size = Uint32Array.of(length);
  checked("getsockopt", calls.getsockopt(fd, level, option, value, size));
  return value.subarray(0, size[0] ?? 0);
}

/** The process and user at the other end of a connected unix socket, as they were when it connected. */
export function peerCredentials(fd: Fd): { readonly pid: number; readonly uid: number } {
  // struct ucred: pid, uid, gid, 32 bits each.
  const [pid = 0, uid = 0] = new Uint32Array(getOption(fd, SOL_SOCKET, SO_PEERCRED, 12).slice().buffer);
  return { pid, uid };
}

/**
 * The number that the kernel gave the thread's network namespace: no other one has it until the next boot. `undefined`: the
 * kernel has none (before 5.14).
 */
export function networkCookie(): bigint | undefined {
  const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    return new BigUint64Array(getOption(fd, SOL_SOCKET, SO_NETNS_COOKIE, 8).slice().buffer)[0];
  } catch (error) {
    if (errnoOf(error) === ENOPROTOOPT) return undefined;
    throw error;
  } finally {
    closeFd(fd);
  }
}

/** Puts a classic BPF program (8 bytes an instruction, host order) before a socket. */
export function attachFilter(fd: Fd, program: Uint8Array): void {
  const value = { length: program.length / 8, code: program };
  checked("setsockopt(SO_ATTACH_FILTER)", setFilter(fd, SOL_SOCKET, SO_ATTACH_FILTER, value, 16));
}

/** Sends one datagram; throws when it does not go: "kernel" also for EPERM, which is how a packet filter refuses. */
export function sendTo(fd: Fd, data: Uint8Array, address?: Uint8Array): void {
  const to = address ?? null;
  let sent = Number(calls.sendto(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, address?.length ?? 0));
  // A signal that came before anything was sent: nothing has happened yet, so asking again is the same request.
  while (sent < 0 && koffi.errno() === EINTR) {
    sent = Number(calls.sendto(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, address?.length ?? 0));
  }
  if (sent < 0) throw sendRefused(koffi.errno());
}

function sendRefused(errno: number): VipdError {
  const error = kernelError("sendto", errno);
  if (errno !== EPERM) return error;
  const { capability: _, ...context } = error.context;
  return new VipdError("kernel", "sendto was refused (EPERM): a packet filter of this host keeps it in", context);
}

const senderAddress = new Uint8Array(SOCKADDR_BYTES);
const senderLength = new Uint32Array(1);

/** Takes the next waiting datagram into `buffer`; undefined when none waits. */
export function receive(fd: Fd, buffer: Uint8Array): Datagram | undefined {
  senderLength[0] = SOCKADDR_BYTES;
  const flags = MSG_DONTWAIT | MSG_TRUNC;
  const length = Number(calls.recvfrom(fd, buffer, buffer.length, flags, senderAddress, senderLength));
  if (length < 0) {
    const errno = koffi.errno();
    if (errno === EAGAIN || errno === EINTR) return undefined;
    throw kernelError("recvfrom", errno);
  }
  const from = senderAddress.subarray(0, Math.min(senderLength[0] ?? 0, SOCKADDR_BYTES));
  return { data: buffer.subarray(0, Math.min(length, buffer.length)), from, lost: Math.max(0, length - buffer.length) };
}

/** Closes a descriptor. */
export function closeFd(fd: Fd): void {
  checked("close", calls.close(fd));
}

/** Takes the exclusive lock of an open file for this open description; false when another has it. */
export function tryLock(fd: Fd): boolean {
  if (calls.flock(fd, LOCK_EX_NB) === 0) return true;
  const errno = koffi.errno();
  if (errno === EAGAIN) return false;
  throw kernelError("flock", errno);
}

const timespec = new BigInt64Array(2);

/** CLOCK_BOOTTIME in milliseconds with fractions: it counts suspend and never steps. */
export function bootTimeMs(): number {
  checked("clock_gettime", calls.clock(CLOCK_BOOTTIME, timespec));
  return Number(timespec[0]) * 1e3 + Number(timespec[1]) / 1e6;
}

/** Opens a timer on CLOCK_BOOTTIME: close-on-exec, non-blocking, not armed. */
export function openTimer(): Fd {
  return checked("timerfd_create", calls.createTimer(CLOCK_BOOTTIME, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

/** Has the timer become readable at this time of CLOCK_BOOTTIME, in milliseconds, or at once when it is over; `null`: never. */
export function armTimer(fd: Fd, atMs: number | null): void {
  // struct itimerspec: interval and value, each s64 seconds and s64 nanoseconds. A value of zero disarms.
  const seconds = Math.floor((atMs ?? 0) / 1e3);
  const nanoseconds = Math.ceil(((atMs ?? 0) - seconds * 1e3) * 1e6);
  const value = BigInt64Array.of(0n, 0n, BigInt(seconds), BigInt(Math.min(nanoseconds, 999_999_999)));
  if (atMs !== null && seconds === 0 && nanoseconds === 0) value[3] = 1n;
  checked("timerfd_settime", calls.setTimer(fd, TFD_TIMER_ABSTIME, value, null));
}

/** Reads what is there; 0: the other end is closed; undefined: nothing is there now. */
export function readFd(fd: Fd, buffer: Uint8Array): number | undefined {
  const length = Number(calls.read(fd, buffer, buffer.length));
  if (length >= 0) return length;
  const errno = koffi.errno();
  if (errno === EAGAIN || errno === EINTR) return undefined;
  throw kernelError("read", errno);
}

/** Takes what the timer has to tell, so that it is readable again only when it expires again. */
export function readTimer(fd: Fd): void {
  readFd(fd, new Uint8Array(8));
}

/** Moves the calling thread into the network namespace behind `fd`; sockets keep the namespace they were made in. */
export function enterNetworkNamespace(fd: Fd): void {
  checked("setns", calls.setns(fd, CLONE_NEWNET));
}

// Handles that are being watched. The program may drop its own reference and still expects news.
const watched = new Set<object>();

/**
 * Calls `onReadable` from the event loop whenever the descriptor has something to read or an error to tell; it must
 * drain the descriptor. It runs as an ordinary callback: what it throws is an uncaught exception.
 */
export function watchReadable(fd: Fd, onReadable: () => void): Watch {
  let open = true;
  let pending = false;
  let stopped = false;
  const listen = (status: number): void => {
    stopped ||= status < 0;
    if (pending || !open) return;
    pending = true;
    setImmediate(() => {
      pending = false;
      if (!open) return;
      try {
        onReadable();
      } finally {
        if (open && stopped) handle.start(callback);
        stopped = false;
      }
    });
  };
  // The type in koffi's declarations is wrong: the status comes first.
  const callback = listen as unknown as (events: unknown) => void;
  const handle = koffi.node.poll(fd, callback);
  watched.add(handle);
  return {
    close: () => {
      if (!open) return;
      open = false;
      watched.delete(handle);
      handle.close();
    },
    unref: () => handle.unref(),
  };
}

/** The result of a call of libc; below zero it throws the errno. koffi knows the types of results by its declarations; TypeScript does not. */
export function checked(call: string, answer: unknown, capability?: Capability): number {
  const result = Number(answer);
  if (result >= 0) return result;
  throw kernelError(call, koffi.errno(), capability);
}

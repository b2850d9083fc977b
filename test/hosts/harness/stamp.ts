// When the kernel took a packet in, not when this process came round to reading it: a recorder that is kept waiting must
// not call that a gap.

import koffi from "koffi";
import { bootTimeMs } from "../../../adapters/linux/native.ts";

/** ioctl(2): the time stamp of the last packet that was received on a socket, as a timespec of the wall clock. */
const SIOCGSTAMPNS = 0x8907;
const CLOCK_REALTIME = 0;

const libc = koffi.load(null);
const ioctl = libc.func("int ioctl(int fd, unsigned long request, void *argument)");
const clockGettime = libc.func("int clock_gettime(int clock, void *time)");
const timespec = new BigInt64Array(2);

function read(): number {
  return Number(timespec[0]) * 1e3 + Number(timespec[1]) / 1e6;
}

/** From the wall clock to CLOCK_BOOTTIME, in milliseconds, at this moment. */
export function bootOffsetMs(): number {
  clockGettime(CLOCK_REALTIME, timespec);
  return bootTimeMs() - read();
}

/** When the last packet that was read from the socket came in, on the wall clock in milliseconds. */
export function stampOf(fd: number): number {
  if (ioctl(fd, SIOCGSTAMPNS, timespec) !== 0) throw new Error("the kernel has no time stamp for the packet");
  return read();
}

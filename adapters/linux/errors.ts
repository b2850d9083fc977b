// What the kernel refused, as VipdErrors: the call, the errno by number, name and text.

import { constants } from "node:os";
import { getSystemErrorMessage } from "node:util";
import { isVipdError, VipdError } from "../../src/base/errors.ts";
import type { ErrorContext } from "../../src/base/errors.ts";

const { errno: ERRNO } = constants;

/** Error numbers that the adapter tells apart. */
export const EPERM: number = ERRNO.EPERM;
export const ENOENT: number = ERRNO.ENOENT;
export const ESRCH: number = ERRNO.ESRCH;
export const ENOEXEC: number = ERRNO.ENOEXEC;
export const EINTR: number = ERRNO.EINTR;
export const EAGAIN: number = ERRNO.EAGAIN;
export const EACCES: number = ERRNO.EACCES;
export const EEXIST: number = ERRNO.EEXIST;
export const EBUSY: number = ERRNO.EBUSY;
export const EINVAL: number = ERRNO.EINVAL;
export const ENODEV: number = ERRNO.ENODEV;
export const ENOPROTOOPT: number = ERRNO.ENOPROTOOPT;
export const EOPNOTSUPP: number = ERRNO.EOPNOTSUPP;
export const EADDRINUSE: number = ERRNO.EADDRINUSE;
export const EADDRNOTAVAIL: number = ERRNO.EADDRNOTAVAIL;
export const ENETDOWN: number = ERRNO.ENETDOWN;
export const ENETUNREACH: number = ERRNO.ENETUNREACH;
export const EHOSTUNREACH: number = ERRNO.EHOSTUNREACH;
export const ENOBUFS: number = ERRNO.ENOBUFS;
/** "No such device or address"; an interface index that is gone. */
export const ENXIO: number = ERRNO.ENXIO;

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(ERRNO).map(([name, number]) => [number, name]));

/** The capability that a refused call lacked. */
export type Capability = "CAP_NET_ADMIN" | "CAP_NET_RAW";

/** The error for a call that failed with `errno`: "privilege" for EPERM and EACCES, else "kernel". */
export function kernelError(
  call: string,
  errno: number,
  capability: Capability = "CAP_NET_ADMIN",
  more: ErrorContext = {},
): VipdError {
  const name = NAMES.get(errno) ?? String(errno);
  const text = getSystemErrorMessage(-errno);
  const context = { ...more, call, errno, name, text };
  if (errno === EPERM || errno === EACCES) {
    const advice = `${call} was refused (${name}): the capability ${capability} is missing`;
    return new VipdError("privilege", advice, { ...context, capability });
  }
  return new VipdError("kernel", `${call} failed: ${text} (${name})`, context);
}

/** The errno of an error that a kernel call threw; undefined for other errors. */
export function errnoOf(error: unknown): number | undefined {
  if (!isVipdError(error)) return undefined;
  const errno = error.context["errno"];
  return typeof errno === "number" ? errno : undefined;
}

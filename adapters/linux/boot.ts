// What is kept for one boot and one network namespace counts in no other: their names.

import { readFileSync, statSync } from "node:fs";
import { networkCookie } from "./native.ts";

/** Names the boot of the host. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

/**
 * Names the network namespace of this thread, for as long as the boot lasts: a later namespace may get the inode of one that
 * is gone, and never its cookie. Where the kernel has no cookies (before 5.14) it is the inode alone.
 */
export function networkNamespace(): string {
  const { dev, ino } = statSync("/proc/thread-self/ns/net", { bigint: true });
  const cookie = networkCookie();
  return cookie === undefined ? `${dev}:${ino}` : `${dev}:${ino}:${cookie}`;
}

// Where this process is: what is kept for one boot and one network namespace counts in no other.

import { readFileSync, statSync } from "node:fs";

/** Names the boot of the host. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

/** The inode of a network namespace names it for as long as anything is in it: a later one may have the same. */
export function networkNamespace(): string {
  const { dev, ino } = statSync("/proc/self/ns/net", { bigint: true });
  return `${dev}:${ino}`;
}

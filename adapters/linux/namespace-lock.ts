// A lock of the network namespace: an abstract unix socket, whose names each network namespace has for itself, and which
// the kernel frees with the process.

import { AF_UNIX, bindSocket, closeFd, openSocket, SOCK_DGRAM } from "./native.ts";
import { EADDRINUSE, errnoOf } from "./errors.ts";

/** A lock that is held. */
export interface NamespaceLock {
  release(): void;
}

/** sockaddr_un's path, in bytes. */
const MAX_NAME_BYTES = 107;

/** Takes the lock of this name in the network namespace that the thread is in; "busy": another process has it. */
export function lockNamespace(name: string): NamespaceLock | "busy" {
  const bytes = new TextEncoder().encode(name).subarray(0, MAX_NAME_BYTES);
  // sockaddr_un: u16 family @0 (host order), path @2; an abstract one begins with NUL and ends with the length.
  const address = new Uint8Array(3 + bytes.length);
  address.set(new Uint8Array(Uint16Array.of(AF_UNIX).buffer));
  address.set(bytes, 3);
  const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    bindSocket(fd, address);
  } catch (error) {
    closeFd(fd);
    if (errnoOf(error) === EADDRINUSE) return "busy";
    throw error;
  }
  let held = true;
  return {
    release: () => {
      if (held) closeFd(fd);
      held = false;
    },
  };
}

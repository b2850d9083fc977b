// systemd's notification protocol (sd_notify(3)): one datagram to the socket that NOTIFY_SOCKET names.

import { VipdError } from "../../src/base/errors.ts";
import { concatBytes, cString } from "../../src/wire/bytes.ts";
import { LITTLE_ENDIAN } from "../../src/wire/netlink.ts";
import { AF_UNIX, closeFd, openSocket, sendTo, SOCK_DGRAM } from "./native.ts";

const MAX_PATH_BYTES = 107;

/**
 * Sends `text` ("READY=1", "WATCHDOG=1", lines joined by "\n") to the service manager. False when `socketPath`
 * (NOTIFY_SOCKET) is not set: nobody listens. Throws "kernel" when the socket is set and does not take it.
 */
export function notifySystemd(socketPath: string | undefined, text: string): boolean {
  if (socketPath === undefined || socketPath === "") return false;
  const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  try {
    sendTo(fd, new TextEncoder().encode(text), unixAddress(socketPath));
    return true;
  } finally {
    closeFd(fd);
  }
}

// struct sockaddr_un: u16 family @0, path @2; an abstract name ("@name") begins with a zero and has no terminator.

function unixAddress(path: string): Uint8Array {
  const abstract = path.startsWith("@");
  const name = abstract ? new TextEncoder().encode(`\0${path.slice(1)}`) : cString(path);
  if (!(abstract || path.startsWith("/")) || name.length > MAX_PATH_BYTES + 1) {
    throw new VipdError("kernel", `NOTIFY_SOCKET is no unix socket: ${path}`, { call: "sendto", path });
  }
  const family = LITTLE_ENDIAN ? Uint8Array.of(AF_UNIX, 0) : Uint8Array.of(0, AF_UNIX);
  return concatBytes(family, name);
}

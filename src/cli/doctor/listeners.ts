// /proc/net/tcp, udp and their kin for IPv6 (proc_pid_net(5)): who listens on which address.

import { fromHex } from "../../wire/bytes.ts";
import { formatIp } from "../../wire/ip.ts";
import { LITTLE_ENDIAN } from "../../wire/netlink.ts";

/** A socket that waits for others. */
export interface Listener {
  readonly ip: string;
  readonly port: number;
}

/** What the kernel calls a TCP socket that listens (TCP_LISTEN), and a UDP socket that is not connected (TCP_CLOSE). */
const LISTENING: Readonly<Record<"tcp" | "udp", string>> = { tcp: "0A", udp: "07" };

const LINE = /^\s*\d+:\s+([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})\s+[0-9A-F]+:[0-9A-F]{4}\s+([0-9A-F]{2})\s/u;

/** Reads such a table; lines that are none are passed over. */
export function parseListeners(table: string, protocol: "tcp" | "udp"): readonly Listener[] {
  return table.split("\n").flatMap((line) => {
    const [, address, port, state] = LINE.exec(line) ?? [];
    if (address === undefined || state !== LISTENING[protocol]) return [];
    return [{ ip: formatIp(bytesOf(address)), port: Number.parseInt(port ?? "0", 16) }];
  });
}

/** The kernel writes an address as words of 32 bits in host order. */
function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  return LITTLE_ENDIAN ? bytes.map((_, i) => bytes[(i & ~3) + 3 - (i & 3)] ?? 0) : bytes;
}

// A director that forwards by nftables, since the kernel of the tests has no IPVS: what arrives for the VIP on the service's
// port, while the VIP is an address of this host, gets the mark of a real server, and is routed to it as it is. And services
// that say which host they are on.

import { bootTimeMs, closeFd, receive, sendTo, watchReadable } from "../../../adapters/linux/native.ts";
import { udpSocket } from "../../linux/traffic.ts";
import type { Station } from "./lan.ts";

const PORT = 7_007;

/** How often the client asks, and from how many ports in turn. */
const ASK_EVERY_MS = 5;
const PORTS = 8;

/** Has a host forward the VIP's packets to the real servers, whichever has its source port's share. */
export function direct(director: Station, vip: string, realServers: readonly Station[]): void {
  const run = (command: string): string => director.namespace.exec("sh", "-c", command);
  run("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0");
  run("ip rule add pref 100 lookup local && ip rule delete pref 0");
  for (const [i, { ip }] of realServers.entries())
    run(
      `ip rule add pref ${10 + i} fwmark ${i + 1} lookup ${101 + i} && ip route add default via ${ip} table ${101 + i}`,
    );
  const shares = realServers.map((_, i) => `${i} : ${i + 1}`).join(", ");
  const rule = `ip daddr ${vip} fib daddr type local udp dport ${PORT} meta mark set jhash ip saddr . udp sport mod ${realServers.length} map { ${shares} }`;
  run(`nft 'table ip director { chain in { type filter hook prerouting priority mangle; ${rule}; }; }'`);
}

/** Answers each datagram to the VIP with the host's name; the result ends it. */
export function serve(host: Station, vip: string): () => void {
  const fd = host.namespace.inside(() => udpSocket(vip, PORT));
  const buffer = new Uint8Array(64);
  const watch = watchReadable(fd, () => {
    for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer))
      sendTo(fd, new TextEncoder().encode(host.name), got.from.slice());
  });
  return () => {
    watch.close();
    closeFd(fd);
  };
}

/** An answer of a real server. */
export interface Served {
  /** CLOCK_BOOTTIME in milliseconds at which the client had it. */
  readonly at: number;
  readonly by: string;
}

/** Asks the VIP from many ports in turn, and takes answers from the VIP only. */
export class ServiceClient {
  readonly answers: Served[] = [];
  private readonly closers: (() => void)[] = [];

  constructor(client: Station, vip: string) {
    const to = socketAddress(vip);
    const fds = Array.from({ length: PORTS }, (_, i) =>
      client.namespace.inside(() => udpSocket(client.ip, 20_000 + i)),
    );
    for (const fd of fds) this.listen(fd, to);
    let next = 0;
    const timer = setInterval(() => {
      next = (next + 1) % PORTS;
      try {
        sendTo(fds[next] ?? 0, Uint8Array.of(1), to);
      } catch {
        // Nobody has the VIP at the moment: then there is no answer.
      }
    }, ASK_EVERY_MS);
    this.closers.push(() => clearInterval(timer));
  }

  close(): void {
    for (const close of this.closers.splice(0)) close();
  }

  /** Waits until each of these hosts has answered after `from`. */
  async answeredBy(hosts: readonly string[], from: number, withinMs = 10_000): Promise<void> {
    const end = bootTimeMs() + withinMs;
    const missing = (): readonly string[] =>
      hosts.filter((host) => !this.answers.some(({ at, by }) => by === host && at >= from));
    while (missing().length > 0) {
      if (bootTimeMs() > end) throw new Error(`${missing().join(", ")} did not answer within ${withinMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
  }

  private listen(fd: number, vip: Uint8Array): void {
    const buffer = new Uint8Array(64);
    const watch = watchReadable(fd, () => {
      for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer)) {
        if (!Buffer.from(got.from).equals(Buffer.from(vip))) continue;
        this.answers.push({ at: bootTimeMs(), by: new TextDecoder().decode(got.data) });
      }
    });
    this.closers.push(() => {
      watch.close();
      closeFd(fd);
    });
  }
}

/** struct sockaddr_in: u16 family, be16 port, address, 8 bytes of nothing. */
function socketAddress(ip: string): Uint8Array {
  return Uint8Array.of(2, 0, PORT >> 8, PORT & 0xff, ...ip.split(".").map(Number), 0, 0, 0, 0, 0, 0, 0, 0);
}

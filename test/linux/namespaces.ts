// Two hosts in network namespaces of their own, joined by a veth pair: the real kernel, and nothing outside the machine.

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { afterEach, beforeEach } from "vitest";
import { needLink } from "../../adapters/linux/links.ts";
import { enterNetworkNamespace } from "../../adapters/linux/native.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../../adapters/linux/netlink.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";

/** Runs a program and gives what it printed. */
export function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** Gives ip many commands at once, a line each. */
export function batch(before: readonly string[], ...lines: readonly string[]): void {
  execFileSync("ip", [...before, "-batch", "-"], { input: `${lines.join("\n")}\n`, stdio: ["pipe", "pipe", "pipe"] });
}

/** A network namespace with a unique name. */
export class Namespace {
  readonly name: string;

  constructor(label: string) {
    this.name = `vd${randomBytes(4).toString("hex")}${label}`;
    run("ip", "netns", "add", this.name);
    try {
      run("ip", "-n", this.name, "link", "set", "lo", "up");
    } catch (error) {
      this.delete();
      throw error;
    }
  }

  /** Runs a program inside. */
  exec(command: string, ...args: readonly string[]): string {
    return run("ip", "netns", "exec", this.name, command, ...args);
  }

  /** Runs `work`, which must be synchronous, with this thread inside: sockets that it opens stay inside. */
  inside<T>(work: () => T): T {
    const home = openSync("/proc/thread-self/ns/net", "r");
    const there = openSync(`/run/netns/${this.name}`, "r");
    try {
      enterNetworkNamespace(there);
      return work();
    } finally {
      enterNetworkNamespace(home);
      closeSync(there);
      closeSync(home);
    }
  }

  delete(): void {
    run("ip", "netns", "delete", this.name);
  }
}

/** A host under test and a peer on the same wire: 10.77.0.1 and .2, 2001:db8:77::1 and ::2, on `eth0` in each. */
export class Wire {
  readonly host: Namespace;
  readonly peer: Namespace;
  /** Last in, first out; each runs, whatever the others throw. */
  readonly #closers: (() => void)[] = [];

  constructor() {
    try {
      this.host = this.#namespace("h");
      this.peer = this.#namespace("p");
      this.#addCable();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #namespace(label: string): Namespace {
    const namespace = new Namespace(label);
    this.onClose(() => namespace.delete());
    return namespace;
  }

  /** Calls `closer` before the namespaces go. */
  onClose(closer: () => void): void {
    this.#closers.push(closer);
  }

  #addCable(): void {
    const [host, peer] = [this.host.name, this.peer.name];
    batch([], `link add eth0 netns ${host} type veth peer name eth0 netns ${peer}`);
    for (const [name, number] of [
      [host, "1"],
      [peer, "2"],
    ] as const) {
      batch(
        ["-n", name],
        "link set eth0 addrgenmode none",
        `address add 10.77.0.${number}/24 dev eth0`,
        `address add 2001:db8:77::${number}/64 dev eth0 nodad`,
        "link set eth0 up",
      );
    }
  }

  /** Takes the interfaces away altogether and puts new ones of the same name in their place. */
  async replaceCable(): Promise<void> {
    this.host.exec("ip", "link", "delete", "eth0");
    this.#addCable();
    await this.ready();
  }

  /** Waits until packets pass: the kernel needs a moment after carrier. */
  async ready(): Promise<void> {
    await eventually("both ends of the cable are up", () => this.hostLink().up && this.peerLink().up);
  }

  /** The peer's end of the cable. */
  peerLink(): LinkRecord {
    return linkOf(this.peer);
  }

  /** The host's end of the cable. */
  hostLink(): LinkRecord {
    return linkOf(this.host);
  }

  /** The peer's neighbour entry for an address, as a hardware address; empty when it has none. */
  neighbour(ip: string): string {
    const text = this.peer.exec("ip", "neigh", "show", ip, "dev", "eth0");
    return /lladdr (\S+)/u.exec(text)?.[1] ?? "";
  }

  close(): void {
    const errors: unknown[] = [];
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        closer();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, "the wire did not close cleanly");
  }
}

function linkOf(namespace: Namespace): LinkRecord {
  const socket = namespace.inside(() => new NetlinkSocket(NETLINK_ROUTE, "rtnetlink"));
  try {
    return needLink(socket, "eth0");
  } finally {
    socket.close();
  }
}

/** A new wire for each test of the file, taken down afterwards whatever happens. */
export function useWire(): () => Wire {
  let wire: Wire | undefined;
  beforeEach(async () => {
    wire = new Wire();
    await wire.ready();
  });
  afterEach(() => {
    wire?.close();
    wire = undefined;
  });
  return () => {
    if (wire === undefined) throw new Error("no test is running");
    return wire;
  };
}

/** Waits until `condition` holds, looking every few milliseconds; throws at the deadline. */
export async function eventually(what: string, condition: () => boolean, deadlineMs = 3000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

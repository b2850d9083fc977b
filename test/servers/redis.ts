// A real Redis for tests, with a directory of its own, on the loopback interface or on a host.

import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePorts, HERE, killed, type Machine, spawnAt, stopped, waitFor } from "./machine.ts";

/** Options under which a confirmed commit outlives every crash. */
export const DURABLE = ["--appendonly", "yes", "--appendfsync", "always"];

/** A server and its life. */
export class RedisServer {
  readonly port: number;
  readonly place: Machine;
  readonly directory = mkdtempSync(join(tmpdir(), "vdr-"));
  private readonly args: readonly string[];
  private child: ChildProcess | undefined;

  private constructor(port: number, place: Machine, args: readonly string[]) {
    this.port = port;
    this.place = place;
    this.args = args;
  }

  /** Starts one; `args`: options of redis-server. Hosts use Redis's own port. */
  static async start(args: readonly string[], place: Machine = HERE): Promise<RedisServer> {
    const server = await RedisServer.make(args, place);
    await server.startAgain();
    return server;
  }

  /** Prepares one that does not run yet. */
  static async make(args: readonly string[], place: Machine = HERE): Promise<RedisServer> {
    const [port = 0] = place.namespace === undefined ? await freePorts(1) : [6_379];
    return new RedisServer(port, place, args);
  }

  get url(): string {
    return `redis://${this.place.ip}:${this.port}`;
  }

  async startAgain(): Promise<void> {
    const own = ["--port", String(this.port), "--bind", this.place.ip, "--dir", this.directory, "--save", ""];
    const open = ["--daemonize", "no", "--protected-mode", "no"];
    this.child = spawnAt(this.place, "redis-server", [...own, ...open, ...this.args]);
    await waitFor("redis-server answers", async () =>
      this.place.namespace === undefined
        ? /^(?:\+PONG|-NOAUTH)/u.test(await ping(this.port))
        : /^(?:PONG|NOAUTH)/u.test(String(await this.command("PING").catch(() => ""))),
    );
  }

  /** Stops it, until it gets SIGCONT. */
  stop(): Promise<void> {
    return stopped(this.child);
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name);
  }

  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    await killed(child);
  }

  /** Runs one command on a connection of its own; on a host of its own the answer is text. */
  async command(...words: readonly [string, ...string[]]): Promise<unknown> {
    const { namespace, ip } = this.place;
    if (namespace !== undefined) return namespace.exec("timeout", "5", "redis-cli", "-h", ip, ...words).trim();
    const redis = new Redis({ port: this.port, maxRetriesPerRequest: 0, retryStrategy: null });
    redis.on("error", () => {});
    try {
      return await redis.call(...words);
    } finally {
      redis.disconnect();
    }
  }

  /** Removes all data, but what a cluster's node knows of the others; only while it does not run. */
  wipe(): void {
    for (const name of readdirSync(this.directory))
      if (!name.endsWith(".conf")) rmSync(join(this.directory, name), { recursive: true });
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function ping(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, HERE.ip, () => socket.write("PING\r\n"));
    const done = (text: string): void => {
      socket.destroy();
      resolve(text);
    };
    socket
      .once("data", (data) => done(data.toString()))
      .once("error", () => done(""))
      .setTimeout(1_000, () => done(""));
  });
}

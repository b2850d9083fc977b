// A real Redis for tests, on a free port of the loopback interface, with a directory of its own.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";

const START_MS = 10_000;

/** A server and its life. */
export class RedisServer {
  readonly port: number;
  readonly directory = mkdtempSync(join(tmpdir(), "vdr-"));
  private readonly args: readonly string[];
  private child: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.args = args;
  }

  /** Starts one; `args`: options of redis-server. */
  static async start(args: readonly string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), args);
    await server.startAgain();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async startAgain(): Promise<void> {
    const own = [
      "--port",
      String(this.port),
      "--bind",
      "127.0.0.1",
      "--dir",
      this.directory,
      "--save",
      "",
      "--daemonize",
      "no",
    ];
    this.child = spawn("redis-server", [...own, ...this.args], { stdio: "ignore" });
    await this.accepts();
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name);
  }

  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await ended;
  }

  /** Runs one command on a connection of its own. */
  async command(...words: readonly [string, ...string[]]): Promise<unknown> {
    const redis = new Redis({ port: this.port, maxRetriesPerRequest: 0 });
    try {
      return await redis.call(...words);
    } finally {
      redis.disconnect();
    }
  }

  /** Removes all data; only while it does not run. */
  wipe(): void {
    for (const name of readdirSync(this.directory)) rmSync(join(this.directory, name), { recursive: true });
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Waits until it answers, if only to ask for a password. */
  private async accepts(): Promise<void> {
    const end = performance.now() + START_MS;
    while (!/^(?:\+PONG|-NOAUTH)/u.test(await ping(this.port))) {
      if (performance.now() > end) throw new Error("redis-server does not answer");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function ping(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

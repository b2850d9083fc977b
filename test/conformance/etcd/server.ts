// Real etcd servers for tests: one, or a cluster, on free ports of the loopback interface, in a directory of their own.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEtcdStore, parseEtcdUrl } from "../../../adapters/etcd/index.ts";

/** How long a server may take to answer. */
const START_MS = 15_000;

interface Member {
  readonly name: string;
  readonly client: number;
  readonly peer: number;
  child: ChildProcess | undefined;
}

/** A cluster of so many members. */
export class EtcdCluster {
  readonly members: readonly Member[];
  private readonly directory = mkdtempSync(join(tmpdir(), "vde-"));

  private constructor(ports: readonly number[]) {
    this.members = Array.from({ length: ports.length / 2 }, (_, i) => ({
      name: `m${i}`,
      client: ports[2 * i] ?? 0,
      peer: ports[2 * i + 1] ?? 0,
      child: undefined,
    }));
  }

  static async start(size = 1): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(await freePorts(2 * size));
    await cluster.startAll();
    return cluster;
  }

  /** The URL of all members. */
  get url(): string {
    return `etcd://${this.members.map(({ client }) => `127.0.0.1:${client}`).join(",")}?compact=off`;
  }

  async startAll(): Promise<void> {
    for (const member of this.members) this.spawn(member);
    await this.ready();
  }

  spawn(member: Member): void {
    const own = (port: number): string => `http://127.0.0.1:${port}`;
    const cluster = this.members.map(({ name, peer }) => `${name}=${own(peer)}`).join(",");
    const args = ["--name", member.name, "--data-dir", join(this.directory, member.name), "--log-level", "error"];
    const client = ["--listen-client-urls", own(member.client), "--advertise-client-urls", own(member.client)];
    const peer = ["--listen-peer-urls", own(member.peer), "--initial-advertise-peer-urls", own(member.peer)];
    member.child = spawn("etcd", [...args, ...client, ...peer, "--initial-cluster", cluster], { stdio: "ignore" });
  }

  /** Waits until the cluster answers a read. */
  async ready(): Promise<void> {
    const end = performance.now() + START_MS;
    for (;;) {
      const store = await openEtcdStore(parseEtcdUrl(this.url));
      try {
        await store.read("", { timeoutMs: 1_000 });
        return;
      } catch (error) {
        if (performance.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      } finally {
        await store.close();
      }
    }
  }

  signal(name: NodeJS.Signals): void {
    for (const { child } of this.members) child?.kill(name);
  }

  async kill(members: readonly Member[] = this.members): Promise<void> {
    await Promise.all(
      members.map(async (member) => {
        const { child } = member;
        member.child = undefined;
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGKILL");
        await ended;
      }),
    );
  }

  /** Ends every member and forgets all data. */
  async wipe(): Promise<void> {
    await this.kill();
    for (const { name } of this.members) rmSync(join(this.directory, name), { recursive: true, force: true });
  }

  /** Runs etcdctl against the first member; gives what it printed. */
  ctl(...args: readonly string[]): string {
    const endpoints = this.members.map(({ client }) => `127.0.0.1:${client}`).join(",");
    const { status, stdout, stderr } = spawnSync("etcdctl", ["--endpoints", endpoints, ...args], {
      encoding: "utf8",
      env: { ...process.env, ETCDCTL_API: "3" },
    });
    if (status !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** Throws all history away. */
  compact(): void {
    const status = JSON.parse(this.ctl("get", "none", "--write-out", "json")) as { header: { revision: number } };
    this.ctl("compact", String(status.header.revision));
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer();
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

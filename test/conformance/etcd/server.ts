// Real etcd servers for tests: one, or a cluster, on free ports of the loopback interface, in a directory of their own.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { openEtcdStore, parseEtcdUrl } from "../../../adapters/etcd/index.ts";

/** How long a server may take to answer. */
const START_MS = 15_000;

/** What etcdctl tells of a member. */
interface Status {
  readonly Status: { readonly header: { readonly member_id: number }; readonly leader: number };
}

/** One server. */
export interface Member {
  readonly name: string;
  readonly client: number;
  readonly peer: number;
  child: ChildProcess | undefined;
}

/** A cluster of so many members. */
export class EtcdCluster {
  readonly members: readonly Member[];
  readonly certificates: Certificates | null;
  /** `user:password` of the URL, once auth is on. */
  private user = "";
  private readonly directory = mkdtempSync(join(tmpdir(), "vde-"));

  private constructor(ports: readonly number[], tls: boolean) {
    this.certificates = tls ? makeCertificates(this.directory) : null;
    this.members = Array.from({ length: ports.length / 2 }, (_, i) => ({
      name: `m${i}`,
      client: ports[2 * i] ?? 0,
      peer: ports[2 * i + 1] ?? 0,
      child: undefined,
    }));
  }

  /** Starts so many members; `tls`: clients must show a certificate. */
  static async start(size = 1, tls = false): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(await freePorts(2 * size), tls);
    await cluster.startAll();
    return cluster;
  }

  /** The URL of all members. */
  get url(): string {
    return this.urlOf(this.members);
  }

  /** The URL of some members, with options of its own. */
  urlOf(members: readonly Member[], options = "compact=off", user = this.user): string {
    const { certificates } = this;
    const scheme = certificates === null ? "etcd" : "etcds";
    const files = certificates === null ? "" : `&${new URLSearchParams({ ...certificates }).toString()}`;
    const hosts = members.map(({ client }) => `127.0.0.1:${client}`).join(",");
    return `${scheme}://${user === "" ? "" : `${user}@`}${hosts}?${options}${files}`;
  }

  /** Turns authentication on, with one user who may do everything. */
  enableAuth(password: string): void {
    this.ctl("user", "add", `root:${password}`);
    this.ctl("user", "grant-role", "root", "root");
    this.ctl("auth", "enable");
    this.user = `root:${password}`;
  }

  /** The member that leads. */
  leader(): Member {
    const status = JSON.parse(this.ctl("endpoint", "status", "--write-out", "json")) as Status[];
    const index = status.findIndex(({ Status: { header, leader } }) => header.member_id === leader);
    const member = this.members[index];
    if (member === undefined) throw new Error("nobody leads");
    return member;
  }

  async startAll(): Promise<void> {
    for (const member of this.members) this.spawn(member);
    await this.ready();
  }

  spawn(member: Member): void {
    const own = (port: number): string => `http://127.0.0.1:${port}`;
    const secure = (port: number): string => `${this.certificates === null ? "http" : "https"}://127.0.0.1:${port}`;
    const cluster = this.members.map(({ name, peer }) => `${name}=${own(peer)}`).join(",");
    const args = ["--name", member.name, "--data-dir", join(this.directory, member.name), "--log-level", "error"];
    const client = ["--listen-client-urls", secure(member.client), "--advertise-client-urls", secure(member.client)];
    const tls = this.certificates;
    const files =
      tls === null
        ? []
        : ["--cert-file", tls.cert, "--key-file", tls.key, "--client-cert-auth", "--trusted-ca-file", tls.ca];
    const peer = ["--listen-peer-urls", own(member.peer), "--initial-advertise-peer-urls", own(member.peer)];
    member.child = spawn("etcd", [...args, ...client, ...files, ...peer, "--initial-cluster", cluster], {
      stdio: "ignore",
    });
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
    const tls = this.certificates;
    const files = tls === null ? [] : ["--cacert", tls.ca, "--cert", tls.cert, "--key", tls.key];
    const user = this.user === "" ? [] : ["--user", this.user];
    const { status, stdout, stderr } = spawnSync("etcdctl", ["--endpoints", endpoints, ...files, ...user, ...args], {
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

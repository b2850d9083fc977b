// Real etcd servers for tests: one, or a cluster, each in a directory of its own, on the loopback interface or on hosts.

import { type ChildProcess, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { freePorts, HERE, killed, type Machine, spawnAt, stopped, waitFor } from "./machine.ts";

/** What etcdctl tells of a member. */
interface Status {
  readonly Status: {
    readonly header: { readonly member_id: number };
    readonly leader: number;
    readonly dbSize: number;
    readonly dbSizeInUse: number;
  };
}

/** One server. */
export interface Member {
  readonly name: string;
  readonly place: Machine;
  readonly client: number;
  readonly peer: number;
  /** Its data; a file system may be mounted there before it starts. */
  readonly directory: string;
  child: ChildProcess | undefined;
}

/** How a cluster is made. */
export interface EtcdSetup {
  /** One member at each. */
  readonly places?: readonly Machine[];
  /** Clients must show a certificate; only on the loopback interface. */
  readonly tls?: boolean;
  /** Further options of etcd. */
  readonly args?: readonly string[];
}

/** A cluster; it does not run yet when it is made. */
export class EtcdCluster {
  readonly members: readonly Member[];
  readonly certificates: Certificates | null;
  /** `user:password` of the URL, once auth is on. */
  private user = "";
  private readonly args: readonly string[];
  private readonly directory = mkdtempSync(join(tmpdir(), "vde-"));

  private constructor(ports: readonly number[], { places = [HERE], tls = false, args = [] }: EtcdSetup) {
    this.certificates = tls ? makeCertificates(this.directory) : null;
    this.args = args;
    this.members = places.map((place, i) => ({
      name: `m${i}`,
      place,
      client: ports[2 * i] ?? 0,
      peer: ports[2 * i + 1] ?? 0,
      directory: join(this.directory, `m${i}`),
      child: undefined,
    }));
    for (const { directory } of this.members) mkdirSync(directory, { mode: 0o700 });
  }

  /** Prepares one that does not run yet. Hosts use etcd's own ports. */
  static async make(setup: EtcdSetup = {}): Promise<EtcdCluster> {
    const places = setup.places ?? [HERE];
    const own = places.every(({ namespace }) => namespace !== undefined);
    return new EtcdCluster(own ? places.flatMap(() => [2_379, 2_380]) : await freePorts(2 * places.length), setup);
  }

  /** Starts so many members on the loopback interface; `tls`: clients must show a certificate. */
  static async start(size = 1, tls = false): Promise<EtcdCluster> {
    const cluster = await EtcdCluster.make({ places: Array.from({ length: size }, () => HERE), tls });
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
    const hosts = members.map(({ place, client }) => `${place.ip}:${client}`).join(",");
    return `${scheme}://${user === "" ? "" : `${user}@`}${hosts}?${options}${files}`;
  }

  /** Turns authentication on, with one user who may do everything. */
  enableAuth(password: string): void {
    this.ctl("user", "add", `root:${password}`);
    this.ctl("user", "grant-role", "root", "root");
    this.ctl("auth", "enable");
    this.user = `root:${password}`;
  }

  /** The member that leads, by what a majority of those that answer says. */
  leader(): Member {
    const states = this.states();
    const leader = states.find(({ header, leader: id }) => header.member_id === id);
    const member = leader === undefined ? undefined : this.members[states.indexOf(leader)];
    if (member === undefined) throw new Error("nobody leads");
    return member;
  }

  /** The size of the first member's database, in bytes. */
  databaseSize(): number {
    return this.states()[0]?.dbSize ?? 0;
  }

  /** What etcd says of its version. */
  version(): string {
    return spawnSync("etcd", ["--version"], { encoding: "utf8" }).stdout;
  }

  /** How many commits it has taken, and one more for each compaction. */
  revision(): number {
    return (JSON.parse(this.ctl("get", "none", "--write-out", "json")) as { header: { revision: number } }).header
      .revision;
  }

  async startAll(): Promise<void> {
    for (const member of this.members) this.spawn(member);
    await this.ready();
  }

  spawn(member: Member): void {
    const { ip } = member.place;
    const own = (port: number): string => `http://${ip}:${port}`;
    const secure = (port: number): string => `${this.certificates === null ? "http" : "https"}://${ip}:${port}`;
    const cluster = this.members.map(({ name, place, peer }) => `${name}=http://${place.ip}:${peer}`).join(",");
    const args = ["--name", member.name, "--data-dir", join(member.directory, "data"), "--log-level", "error"];
    const client = ["--listen-client-urls", secure(member.client), "--advertise-client-urls", secure(member.client)];
    const tls = this.certificates;
    const files =
      tls === null
        ? []
        : ["--cert-file", tls.cert, "--key-file", tls.key, "--client-cert-auth", "--trusted-ca-file", tls.ca];
    // Passwords that cost little to check: many clients sign in at once.
    const auth = ["--bcrypt-cost", "4"];
    const peer = ["--listen-peer-urls", own(member.peer), "--initial-advertise-peer-urls", own(member.peer)];
    const all = [...args, ...client, ...files, ...auth, ...peer, "--initial-cluster", cluster, ...this.args];
    member.child = spawnAt(member.place, "etcd", all);
  }

  /** Waits until the cluster answers a linearizable read. */
  async ready(): Promise<void> {
    await waitFor("etcd answers", () => {
      try {
        this.ctl("--command-timeout", "2s", "get", "none");
        return true;
      } catch {
        return false;
      }
    });
  }

  /** Stops all members, until they get SIGCONT. */
  async stop(): Promise<void> {
    await Promise.all(this.members.map(({ child }) => stopped(child)));
  }

  signal(name: NodeJS.Signals, members: readonly Member[] = this.members): void {
    for (const { child } of members) child?.kill(name);
  }

  async kill(members: readonly Member[] = this.members): Promise<void> {
    await Promise.all(
      members.map(async (member) => {
        const { child } = member;
        member.child = undefined;
        await killed(child);
      }),
    );
  }

  /** Ends every member and forgets all data. */
  async wipe(): Promise<void> {
    await this.kill();
    for (const { directory } of this.members)
      for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true, force: true });
  }

  /** Writes a backup of the only member to a file; gives its path. */
  backup(): string {
    const file = join(this.directory, "backup");
    rmSync(file, { force: true });
    this.ctl("snapshot", "save", file);
    return file;
  }

  /** Starts the only member anew on a backup; `token`: as a cluster of another name. */
  async restore(file: string, token?: string): Promise<void> {
    await this.wipe();
    const [member] = this.members;
    if (member === undefined || this.members.length > 1) throw new Error("only a single member can be put back");
    const peer = `http://${member.place.ip}:${member.peer}`;
    const place = ["--name", member.name, "--initial-cluster", `${member.name}=${peer}`];
    const urls = ["--initial-advertise-peer-urls", peer, "--data-dir", join(member.directory, "data")];
    const named = token === undefined ? [] : ["--initial-cluster-token", token];
    this.ctl("snapshot", "restore", file, ...place, ...urls, ...named);
    await this.startAll();
  }

  /** Removes every record, so that the next test finds nothing. */
  erase(): void {
    this.ctl("del", "--from-key", "");
  }

  /** Runs etcdctl against all members; gives what it printed. */
  ctl(...args: readonly string[]): string {
    const endpoints = this.members.map(({ place, client }) => `${place.ip}:${client}`).join(",");
    const tls = this.certificates;
    const files = tls === null ? [] : ["--cacert", tls.ca, "--cert", tls.cert, "--key", tls.key];
    const user = this.user === "" ? [] : ["--user", this.user];
    const command = ["etcdctl", "--endpoints", endpoints, ...files, ...user, ...args];
    const namespace = this.members[0]?.place.namespace;
    const whole = namespace === undefined ? command : ["ip", "netns", "exec", namespace.name, ...command];
    const { status, stdout, stderr } = spawnSync(whole[0] ?? "", whole.slice(1), {
      encoding: "utf8",
      env: { ...process.env, ETCDCTL_API: "3" },
    });
    if (status !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** Throws all history away. */
  compact(): void {
    this.ctl("compact", String(this.revision()));
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private states(): readonly Status["Status"][] {
    const all = JSON.parse(this.ctl("endpoint", "status", "--write-out", "json")) as Status[];
    return all.map(({ Status: status }) => status);
  }
}

// vipctl's surroundings for tests: paper instead of a terminal, daemons and stores that say what a test wants.

import type { AdminClient, AdminFailure } from "../../../src/admin/client.ts";
import type {
  FleetView,
  HistoryView,
  MaintenanceRequest,
  StatusView,
  StepDownRequest,
} from "../../../src/admin/views.ts";
import { VipdError } from "../../../src/base/errors.ts";
import type { VipAddress } from "../../../src/base/vip.ts";
import type { ExitCode } from "../../../src/cli/exit-codes.ts";
import type { Exposure, HostNetwork } from "../../../src/cli/check.ts";
import type {
  Forgotten,
  HostReport,
  Output,
  RepairOptions,
  RepairReport,
  StoreWriter,
  VipctlDeps,
  WireReport,
} from "../../../src/cli/deps.ts";
import type { StoreFinding } from "../../../src/ports/store.ts";
import { runVipctl } from "../../../src/cli/vipctl.ts";
import { STORE_ADAPTERS } from "../../../src/stores/index.ts";
import { fleetView, statusView } from "../admin/views.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";

/** Where the daemon listens, the store lies and the configuration stands unless a test says otherwise. */
export const SOCKET = "/run/vipd/vipd.sock";
export const STORE = "sqlite:/var/lib/vipd/fleet.db";
export const CONFIG = "/etc/vipd/vipd.yaml";

/** A configuration without mistakes. */
export const GOOD_CONFIG = `
store: ${STORE}
vips:
  web: { interface: eth0, addresses: [10.0.0.10/24] }
`;

/** Keeps what is written. */
export class Paper implements Output {
  text = "";
  isTerminal = false;

  write(text: string): void {
    this.text += text;
  }

  /** Its lines, without the last line feed. */
  get lines(): readonly string[] {
    return this.text === "" ? [] : this.text.replace(/\n$/u, "").split("\n");
  }

  /** The JSON that stands on its only line. */
  get json(): unknown {
    if (this.lines.length !== 1) throw new Error(`not one line: ${this.text}`);
    return JSON.parse(this.text);
  }
}

/** Views that a test hands out one after the other. */
export class Outlet<T> {
  /** Settles when somebody watches. */
  readonly opened: Promise<void>;
  private readonly waiting: T[] = [];
  private open: () => void = () => {};
  private readonly hungry: (() => void)[] = [];
  private wake: () => void = () => {};
  private over = false;

  constructor() {
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }

  push(...views: readonly T[]): void {
    this.waiting.push(...views);
    this.wake();
  }

  end(): void {
    this.over = true;
    this.wake();
  }

  /** Settles when whoever watches has taken all views and asks for more. */
  drained(): Promise<void> {
    return new Promise((resolve) => this.hungry.push(resolve));
  }

  async *watch(signal: AbortSignal | undefined): AsyncGenerator<T> {
    this.open();
    signal?.addEventListener("abort", () => this.wake(), { once: true });
    for (;;) {
      const next = this.waiting.shift();
      if (signal?.aborted === true) return;
      if (next !== undefined) yield next;
      else if (this.over) return;
      else await this.more();
    }
  }

  private more(): Promise<void> {
    for (const tell of this.hungry.splice(0)) tell();
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
}

/** A store that a test fills. */
export class FakeFleet implements StoreWriter {
  view: FleetView = fleetView();
  readonly feed = new Outlet<FleetView>();
  readonly changes = new Map<string, readonly HistoryView[]>();
  findings: readonly StoreFinding[] = [];
  closed = 0;
  report: RepairReport = { kind: "sound", lines: ["nothing is to be repaired"], done: false };
  readonly repairs: (readonly [election: string, how: RepairOptions])[] = [];

  forgotten: Forgotten = { kind: "forgotten", candidacies: 2 };

  forget(): Promise<Forgotten> {
    return Promise.resolve(this.forgotten);
  }

  repair(election: string, how: RepairOptions): Promise<RepairReport> {
    this.repairs.push([election, how]);
    return Promise.resolve({ ...this.report, done: this.report.kind === "broken" && how.apply });
  }

  examine(): Promise<readonly StoreFinding[]> {
    return Promise.resolve(this.findings);
  }

  read(): Promise<FleetView> {
    return Promise.resolve(this.view);
  }

  history(election: string): Promise<readonly HistoryView[]> {
    return Promise.resolve(this.changes.get(election) ?? []);
  }

  watch(signal: AbortSignal): AsyncIterable<FleetView> {
    return this.feed.watch(signal);
  }

  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
}

/** A daemon that a test directs; with a `failure` it says nothing else. */
export class FakeDaemon implements AdminClient {
  view: StatusView = statusView();
  readonly feed = new Outlet<StatusView>();
  readonly changes = new Map<string, readonly HistoryView[]>();
  readonly asked: StepDownRequest[] = [];
  readonly maintained: MaintenanceRequest[] = [];
  refusal: string | undefined;
  failure: VipdError | undefined;

  version(): Promise<{ version: string; node: string; pid: number }> {
    return this.answer({ version: this.view.version, node: this.view.node, pid: 4711 });
  }

  status(): Promise<StatusView> {
    return this.answer(this.view);
  }

  election(name: string): ReturnType<AdminClient["election"]> {
    const election = this.view.elections.find((other) => other.name === name);
    return this.answer(election === undefined ? null : { ...election, history: this.changes.get(name) ?? [] });
  }

  stepDown(request: StepDownRequest): ReturnType<AdminClient["stepDown"]> {
    this.asked.push(request);
    return this.answer({ accepted: this.refusal === undefined, reason: this.refusal ?? "handing it over" });
  }

  maintenance(request: MaintenanceRequest): ReturnType<AdminClient["maintenance"]> {
    this.maintained.push(request);
    return this.answer({ accepted: this.refusal === undefined, reason: this.refusal ?? "in force" });
  }

  watch({ signal }: { readonly signal?: AbortSignal }): AsyncIterable<StatusView> {
    return this.feed.watch(signal);
  }

  private answer<T>(value: T): Promise<T> {
    return this.failure === undefined ? Promise.resolve(value) : Promise.reject(this.failure);
  }
}

/** The error of a client that finds no daemon, or one that does not answer as it should. */
export function adminError(failure: AdminFailure, message = `no daemon listens at ${SOCKET}`): VipdError {
  return new VipdError("admin", message, { socket: SOCKET, failure });
}

/** A terminal's user before a vipctl. */
export class Desk {
  readonly out = new Paper();
  readonly err = new Paper();
  readonly timers = new VirtualTimers();
  readonly interrupt = new AbortController();
  readonly env: Record<string, string> = {};
  readonly files = new Map<string, string>();
  /** By socket. */
  readonly daemons = new Map<string, AdminClient>();
  /** By URL and fleet. */
  readonly fleets = new Map<string, StoreWriter>();
  /** What the wire was asked for. */
  readonly probed: VipAddress[] = [];
  wire: WireReport | VipdError = { answers: [], boundHere: [] };
  host: HostReport | undefined;
  /** What vipd --check and the doctor hold a file against. */
  network: HostNetwork | Error = { addresses: [], links: ["lo", "eth0", "eth1"] };
  /** By path, who else may read or write it. */
  readonly missing = new Set<string>();
  readonly distrusted = new Map<string, { problem: string; fix: string }>();
  readonly exposed = new Map<string, Exposure>();
  /** Files that hold secrets, or the code of what reading them gives. */
  readonly secrets = new Map<string, Uint8Array | "EACCES">();

  /** Puts a daemon at `socket`. */
  daemon(socket = SOCKET): FakeDaemon {
    const daemon = new FakeDaemon();
    this.daemons.set(socket, daemon);
    return daemon;
  }

  /** Puts a fleet into the store at `url`. */
  fleet(url = STORE, fleet = "main"): FakeFleet {
    const reader = new FakeFleet();
    this.fleets.set(`${url} ${fleet}`, reader);
    return reader;
  }

  /** Runs vipctl to its exit code. */
  vipctl(...argv: readonly string[]): Promise<ExitCode> {
    return runVipctl(argv, this.deps);
  }

  get deps(): VipctlDeps {
    const { out, err, timers, env, files, daemons, fleets, host } = this;
    const openFleet = (url: string, fleet: string): Promise<StoreWriter> => {
      const reader = fleets.get(`${url} ${fleet}`);
      const missing = new VipdError("store-unavailable", `there is no store at ${url}`, { url });
      return reader === undefined ? Promise.reject(missing) : Promise.resolve(reader);
    };
    return {
      ...{ version: "0.1.0", hostName: "lb1", stores: STORE_ADAPTERS, out, err, timers, env },
      signal: this.interrupt.signal,
      readFile: (path) => {
        const text = files.get(path);
        const missing = Object.assign(new Error(`no such file: ${path}`), { code: "ENOENT" });
        return text === undefined ? Promise.reject(missing) : Promise.resolve(text);
      },
      look: {
        exposureOf: (path) => Promise.resolve(this.exposed.get(path) ?? { othersRead: false, othersWrite: false }),
        readSecret: (path) => {
          const secret = this.secrets.get(path);
          if (secret instanceof Uint8Array) return secret;
          throw Object.assign(new Error(`no such file: ${path}`), { code: secret ?? "ENOENT" });
        },
        directoryTrouble: (path) => this.distrusted.get(path),
        exists: (path) => !this.missing.has(path),
        groups: () => Promise.resolve(new Set(["adm", "vipd"])),
        network: () => (this.network instanceof Error ? Promise.reject(this.network) : Promise.resolve(this.network)),
      },
      adminClient: (socket) => Promise.resolve(daemons.get(socket) ?? absentDaemon(socket)),
      openFleet: openFleet,
      openFleetToWrite: openFleet,
      probeWire: (addresses) => {
        this.probed.push(...addresses);
        return this.wire instanceof VipdError ? Promise.reject(this.wire) : Promise.resolve(this.wire);
      },
      ...(host === undefined ? {} : { examineHost: () => Promise.resolve(host) }),
    };
  }
}

function absentDaemon(socket: string): AdminClient {
  const daemon = new FakeDaemon();
  daemon.failure = adminError("absent", `no daemon listens at ${socket}`);
  return daemon;
}

// Nodes with real lease electors on one store in memory, each with a host that notes what it is told, for tests.

import type { Candidacy } from "../../../src/base/candidacy.ts";
import { LeaseElector } from "../../../src/node/lease-elector.ts";
import type { ElectorHost, Grant, Loss } from "../../../src/ports/elector.ts";
import type { Store } from "../../../src/ports/store.ts";
import { storeCalls } from "../../../src/runtime/store-calls.ts";
import { type MemoryBackend, openMemoryStore } from "../../servers/memory/index.ts";
import { FLEET, TTL_MS } from "../election/samples.ts";
import { settledBackend } from "../runtime/stores.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";

const running: LeaseNode[] = [];

/** Ends all nodes: after each test. */
export function closeAll(): void {
  for (const { elector } of running.splice(0)) elector.close();
}

export interface NodeOptions {
  readonly incarnation?: string;
  readonly adopt?: boolean;
  readonly ttlMs?: number;
  readonly store?: Store;
}

/** A node of a fleet on one store: its elector, and a host that notes what it is told and obeys at once. */
export class LeaseNode implements ElectorHost {
  readonly elector: LeaseElector;
  /** What the host was told, such as `gain web,db`. */
  readonly told: string[] = [];
  readonly grants: Grant[] = [];
  readonly losses: Loss[] = [];
  readonly notes: string[] = [];
  readonly renewed: string[] = [];
  readonly longestTtls: number[] = [];
  /** What it was told to adopt. */
  former: ReadonlyMap<string, readonly string[]> | undefined;
  changes = 0;
  obeys = true;

  constructor(name: string, backend: MemoryBackend, timers: VirtualTimers, options: NodeOptions = {}) {
    const { incarnation = `${name}-0`, adopt = false, ttlMs = TTL_MS, store = openMemoryStore(backend) } = options;
    const processId = `${name}-process-${running.length}`;
    const self = { node: name, fleet: FLEET, host: "h", processId, ttlMs, knownTtlMs: 0 };
    const deps = {
      calls: storeCalls(store, timers),
      timers,
      renewIncarnation: () => {
        this.renewed.push(`${name}-${this.renewed.length + 1}`);
        return this.renewed.at(-1) ?? "";
      },
      rememberTtl: (longestTtlMs: number) => void this.longestTtls.push(longestTtlMs),
    };
    this.elector = new LeaseElector({ self, incarnation, adopt }, deps, this);
    running.push(this);
  }

  adopted(addresses: ReadonlyMap<string, readonly string[]>): void {
    this.former = addresses;
  }

  gain(grants: readonly Grant[], { deadline }: { readonly deadline: number }): void {
    this.grants.push(...grants);
    this.told.push(`gain ${grants.map(({ election }) => election).join()} under ${deadline}`);
  }

  extend(validities: readonly { readonly deadline: number }[]): void {
    this.told.push(`extend ${validities.map(({ deadline }) => deadline).join()}`);
  }

  confirm(confirmed: Parameters<ElectorHost["confirm"]>[0]): void {
    for (const { election, addresses } of confirmed) this.told.push(`confirm ${election}: ${addresses.join()}`);
  }

  lose(losses: readonly Loss[]): void {
    this.losses.push(...losses);
    this.told.push(`lose ${losses.map(({ election, reason: why }) => `${election}: ${why.code}`).join()}`);
    if (this.obeys) this.elector.released(losses.map(({ election }) => election));
  }

  announce(election: string): void {
    this.told.push(`announce ${election}`);
  }

  contested(election: string, by: string | null): void {
    this.told.push(`contested ${election}: ${by ?? "nobody"}`);
  }

  note(level: string, election: string | null, text: string): void {
    this.notes.push(`${level} ${election ?? "-"}: ${text}`);
  }

  changed(): void {
    this.changes += 1;
  }

  stopped(): void {
    this.told.push("stopped");
  }

  /** Competes for these with the same wish. */
  wish(wish: Candidacy | null, ...elections: readonly string[]): this {
    this.elector.updateCandidacies(new Map(elections.map((election) => [election, wish])));
    return this;
  }

  /** What the host was told besides extensions, since this was asked last. */
  news(): readonly string[] {
    return this.told.splice(0).filter((line) => !line.startsWith("extend"));
  }
}

/** A store whose fleet has settled, and nodes on it. */
export function begin(): {
  backend: MemoryBackend;
  timers: VirtualTimers;
  node: (name: string, options?: NodeOptions) => LeaseNode;
} {
  const [backend, timers] = [settledBackend(), new VirtualTimers()];
  return { backend, timers, node: (name, options) => new LeaseNode(name, backend, timers, options) };
}

export function startAll(...nodes: readonly LeaseNode[]): void {
  for (const { elector } of nodes) elector.start();
}

// A fleet of election machines on one memory store, in virtual time, with links to the store that a test breaks as it
// likes. Requests are answered at once unless a link says otherwise, so that a scenario reads as its own timetable.

import { MemoryBackend } from "../../../adapters/memory/index.ts";
import { type Instant, instant, later, NEVER } from "../../../src/base/time.ts";
import { nextWakeup, step } from "../../../src/election/machine.ts";
import { type Candidacy, type Effect, type Event, initialState, type State } from "../../../src/election/state.ts";
import type { Change, Revision, StoredRecord, Txn } from "../../../src/ports/store.ts";

export const TTL_MS = 3_000;
export const FLEET = "f";
export const ELECTION = "web";
/** The store's key of `ELECTION`. */
export const ELECTION_KEY = `/vipd/${FLEET}/live/elections/${ELECTION}`;

/**
 * How a node reaches the store: `good`; `refuses`: fails before the send; `lost`: never arrives, outcome unknown;
 * `deaf`: arrives, but the answer does not; `slow`: arrives only after `arrivesMs`, its answer never.
 */
export type Link = "good" | "refuses" | "lost" | "deaf" | "slow";

/** How long a commit over a slow link is under way unless a test says otherwise: longer than its caller waits. */
const ARRIVES_MS = 1_500;

/** What a node brings to the election unless a test says otherwise. */
export function candidacy(changes: Partial<Candidacy> = {}): Candidacy {
  return {
    priority: 100,
    eligible: true,
    reason: "",
    preempt: true,
    preemptDelayMs: 0,
    addresses: [],
    interface: null,
    ...changes,
  };
}

type HostEffect = Exclude<Effect, { type: "read" | "commit" }>;

/** One machine and its surroundings. */
export class Node {
  readonly name: string;
  link: Link = "good";
  /** How its commits fare, where that differs from its reads. */
  commitLink: Link | undefined;
  /** How long a commit over a good link takes to arrive. */
  lagMs = 0;
  /** Whether it hears the store's watch. */
  watching = true;
  /** A frozen process: no event reaches it, no time passes for it. */
  frozen = false;
  /** Whether the host lets go as soon as it is told to. */
  obliging = true;
  state: State;
  /** Every host effect, with the time at which it was asked for. */
  readonly log: { readonly at: number; readonly effect: HostEffect }[] = [];
  /** Every commit that was asked for. */
  readonly commits: Txn[] = [];
  private readonly fleet: Fleet;
  private incarnations = 1;

  constructor(
    fleet: Fleet,
    name: string,
    options: { incarnation?: string; adopt?: boolean; processId?: string; ttlMs?: number } = {},
  ) {
    const {
      incarnation = `${name}-1`,
      adopt = false,
      processId = `${name}-life${fleet.lives}`,
      ttlMs = TTL_MS,
    } = options;
    this.fleet = fleet;
    this.name = name;
    const self = { node: name, fleet: FLEET, host: `host-of-${name}`, processId, ttlMs };
    this.state = initialState(self, incarnation, adopt, fleet.now);
  }

  /** Whether the host holds the election now: told to, and not yet told otherwise. */
  get holds(): boolean {
    return this.state.tenures.get(ELECTION)?.phase === "on";
  }

  /** The times of the host effects of one type, after the beginning of the test. */
  times(type: HostEffect["type"]): readonly number[] {
    return this.log.flatMap(({ at, effect }) => (effect.type === type ? at : []));
  }

  /** The reasons for which the host was told to let go. */
  get reasons(): readonly string[] {
    return this.log.flatMap(({ effect }) => (effect.type === "lose" ? effect.reason : []));
  }

  /** The tokens under which the host was told to hold. */
  get tokens(): readonly Revision[] {
    return this.log.flatMap(({ effect }) => (effect.type === "gain" ? effect.token : []));
  }

  get notes(): readonly string[] {
    return this.log.flatMap(({ effect }) => (effect.type === "note" ? effect.text : []));
  }

  /** Hands in an event, and performs what comes of it. */
  post(event: Event): void {
    if (this.frozen) return;
    const [state, effects] = step(this.state, event, {
      now: this.fleet.now,
      wallMs: 1_800_000_000_000 + this.fleet.now,
    });
    this.state = state;
    for (const effect of effects) this.perform(effect);
  }

  wakeup(): Instant {
    return nextWakeup(this.state, this.fleet.now);
  }

  private perform(effect: Effect): void {
    if (effect.type === "read") return this.fleet.read(this, effect.timeoutMs);
    if (effect.type === "commit") {
      this.commits.push(effect.txn);
      return this.fleet.commit(this, effect);
    }
    this.log.push({ at: this.fleet.elapsedMs, effect });
    if (effect.type === "lose" && this.obliging)
      this.fleet.after(0, () => this.post({ type: "let-go", election: effect.election }));
    if (effect.type === "renew-incarnation") {
      this.incarnations += 1;
      const incarnation = `${this.name}-${this.incarnations}-${this.state.self.processId}`;
      this.fleet.after(0, () => this.post({ type: "incarnation", incarnation }));
    }
  }
}

/** All nodes, their store and their time. */
export class Fleet {
  readonly backend = new MemoryBackend({ epoch: "epoch", revision: 100n });
  readonly nodes: Node[] = [];
  now: Instant = instant(5_000_000);
  arrivesMs = ARRIVES_MS;
  private readonly began = this.now;
  private due: { readonly at: Instant; readonly run: () => void }[] = [];

  /** `settled`: the fleet has agreed on the store's epoch before; else its quarantine comes first. */
  constructor({ settled = true }: { settled?: boolean } = {}) {
    if (settled) this.put(`/vipd/${FLEET}/live/fleet`, { format: 1, epoch: this.backend.epoch });
  }

  get lives(): number {
    return this.nodes.length + 1;
  }

  /** Milliseconds since the test began. */
  get elapsedMs(): number {
    return this.now - this.began;
  }

  /** Starts a node; with a candidacy it competes at once. */
  start(name: string, wish: Candidacy | null = candidacy(), options: ConstructorParameters<typeof Node>[2] = {}): Node {
    const node = new Node(this, name, options);
    this.nodes.push(node);
    if (wish !== null) node.post({ type: "candidacy", election: ELECTION, candidacy: wish });
    node.post({ type: "tick" });
    return node;
  }

  /** Ends a node where it stands, as SIGKILL does. */
  kill(node: Node): void {
    node.frozen = true;
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  /** The nodes whose host holds the election. */
  get holders(): readonly string[] {
    return this.nodes.filter((node) => node.holds).map((node) => node.name);
  }

  /** The election's record as the store has it. */
  get record():
    | { readonly holder: string | null; readonly seq: number; readonly reason: string; readonly version: Revision }
    | undefined {
    const record = this.stored(ELECTION_KEY);
    return (
      record && {
        ...(JSON.parse(record.value) as { holder: string | null; seq: number; reason: string }),
        version: record.version,
      }
    );
  }

  stored(key: string): StoredRecord | undefined {
    return this.backend.read(key).records.find((record) => record.key === key);
  }

  session(name: string): StoredRecord | undefined {
    return this.stored(`/vipd/${FLEET}/live/sessions/${name}`);
  }

  /** Writes a record as somebody from outside would. */
  put(key: string, value: unknown): void {
    const text = value === null ? null : typeof value === "string" ? value : JSON.stringify(value);
    this.apply({ guards: [], writes: [{ key, value: text }] });
  }

  after(ms: number, run: () => void): void {
    this.due.push({ at: later(this.now, ms), run });
  }

  /** Lets time pass: everything that falls due is done in its order. */
  advance(ms: number): void {
    const end = later(this.now, ms);
    for (let rounds = 0; ; rounds += 1) {
      if (rounds > 100_000) throw new Error("the machines do not come to rest");
      const next = this.due.toSorted((a, b) => a.at - b.at)[0];
      const sleeper = this.nodes.filter((node) => !node.frozen).toSorted((a, b) => a.wakeup() - b.wakeup())[0];
      const wakeAt = sleeper?.wakeup() ?? NEVER;
      if (next !== undefined && next.at <= wakeAt && next.at <= end) {
        this.due = this.due.filter((other) => other !== next);
        this.moveTo(next.at);
        next.run();
      } else if (sleeper !== undefined && wakeAt <= end) {
        this.moveTo(wakeAt > this.now ? wakeAt : later(this.now, 0.5));
        sleeper.post({ type: "tick" });
      } else break;
    }
    this.moveTo(end);
  }

  /** Lets time pass until `done` holds; fails after `limitMs`. The result: how long it took, to the millisecond. */
  until(done: () => boolean, limitMs = 60_000): number {
    const began = this.now;
    while (!done()) {
      if (this.now - began > limitMs) throw new Error(`it did not come within ${limitMs} ms`);
      this.advance(1);
    }
    return this.now - began;
  }

  read(node: Node, timeoutMs: number): void {
    if (node.link === "refuses") return this.after(0, () => node.post({ type: "read-failed", message: "refused" }));
    if (node.link !== "good")
      return this.after(timeoutMs, () => node.post({ type: "read-failed", message: "no answer" }));
    const snapshot = this.backend.read(node.state.keys.live);
    this.after(0, () => node.post({ type: "read", snapshot }));
  }

  commit(node: Node, { attempt, txn, timeoutMs }: Extract<Effect, { type: "commit" }>): void {
    const link = node.commitLink ?? node.link;
    if (link === "refuses") return this.after(0, () => node.post({ type: "refused", attempt, message: "refused" }));
    if (link === "good")
      return node.lagMs === 0
        ? this.arrive(node, attempt, txn)
        : this.after(node.lagMs, () => this.arrive(node, attempt, txn));
    if (link === "deaf") this.apply(txn);
    if (link === "slow") this.after(this.arrivesMs, () => this.apply(txn));
    this.after(timeoutMs, () => node.post({ type: "unknown", attempt, message: "no answer" }));
  }

  /** Loses the data and keeps only `records`; whoever watches is told of a gap. */
  loseData(records: readonly StoredRecord[]): void {
    this.backend.beginEpoch(records);
    for (const node of this.nodes)
      if (node.watching) this.after(0, () => node.post({ type: "gap", reason: "new epoch" }));
  }

  private arrive(node: Node, attempt: number, txn: Txn): void {
    const result = this.apply(txn);
    this.after(0, () =>
      node.post(result.kind === "conflict" ? { type: "conflict", attempt } : { ...result, type: "committed", attempt }),
    );
  }

  private apply(txn: Txn): ReturnType<MemoryBackend["commit"]> {
    const result = this.backend.commit(txn);
    if (result.kind === "committed") {
      const changes = txn.writes.map(({ key, value }) => ({ key, value, version: result.revision }));
      for (const node of this.nodes) this.tell(node, changes);
    }
    return result;
  }

  private tell(node: Node, changes: readonly Change[]): void {
    const live = changes.filter(({ key }) => key.startsWith(node.state.keys.live));
    if (live.length === 0 || !node.watching || node.link !== "good") return;
    this.after(0, () => node.post({ type: "changes", changes: live }));
  }

  private moveTo(when: Instant): void {
    if (when > this.now) this.now = when;
  }
}

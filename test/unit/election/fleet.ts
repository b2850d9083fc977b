// A fleet of election machines on one memory store, in virtual time, with links to the store that a test breaks as it
// likes. Requests are answered at once unless a link says otherwise, so that a scenario reads as its own timetable.
// Whatever a test is about, two hosts that could answer for one election, or one address, at a time make it fail.

import { MemoryBackend } from "../../servers/memory/index.ts";
import { assert } from "../../../src/base/assert.ts";
import type { Candidacy } from "../../../src/base/candidacy.ts";
import type { Reason } from "../../../src/base/reasons.ts";
import { type Instant, instant, later, NEVER } from "../../../src/base/time.ts";
import { fenceUntil } from "../../../src/election/lease.ts";
import {
  type ElectionRecord,
  encodeValue,
  type EpochRecord,
  type HistoryRecord,
  type LossRecord,
  parseHistory,
  parseLoss,
  parseValue,
} from "../../../src/election/records.ts";
import type { Effect } from "../../../src/election/state.ts";
import type { Revision, StoredRecord, Txn } from "../../../src/ports/store.ts";
import { Node, type NodeOptions, type Surroundings } from "./node.ts";
import { candidacy, ELECTION, KEYS } from "./samples.ts";

/** How long a commit over a late link is under way unless a test says otherwise: longer than its caller waits. */
const ARRIVES_MS = 1_500;

/** All nodes, their store and their time. */
export class Fleet implements Surroundings {
  readonly backend = new MemoryBackend({ epoch: "epoch", revision: 100n });
  /** Those that live. */
  readonly nodes: Node[] = [];
  now: Instant = instant(5_000_000);
  arrivesMs = ARRIVES_MS;
  /** Dead ones too: what they held, their kernels may hold still. */
  private readonly everybody: Node[] = [];
  private due: { readonly at: Instant; readonly run: () => void }[] = [];
  /** Somebody wrote records without being a node: then nothing is promised. */
  private tampered = false;

  /** `settled`: the fleet has agreed on the store's epoch before; else its quarantine comes first. */
  constructor({ settled = true }: { settled?: boolean } = {}) {
    if (settled) this.settle();
  }

  /** The fleet agrees on the epoch that the store is in. */
  settle(): void {
    const value = encodeValue<EpochRecord>({ epoch: this.backend.epoch });
    this.apply({ guards: [], writes: [{ key: KEYS.epoch, value }] });
  }

  /** Starts a node; with a candidacy it competes at once. */
  start(name: string, wish: Candidacy | null = candidacy(), options: NodeOptions = {}): Node {
    const node = new Node(this, name, { processId: `${name}-process-${this.everybody.length + 1}`, ...options });
    this.nodes.push(node);
    this.everybody.push(node);
    if (wish !== null) node.wish(wish);
    node.post({ type: "tick" });
    return node;
  }

  /** Ends a node where it stands, as SIGKILL does. */
  kill(node: Node): void {
    assert(!node.dead, "a node dies once");
    node.dead = true;
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  /** Kills a node and starts it again with the incarnation that its state directory keeps. */
  restart(node: Node, wish: Candidacy | null = candidacy(), options: NodeOptions = {}): Node {
    this.kill(node);
    return this.start(node.name, wish, { incarnation: node.incarnation, adopt: true, ...options });
  }

  /** The nodes whose host holds the election. */
  get holders(): readonly string[] {
    return this.nodes.filter((node) => node.holds).map((node) => node.name);
  }

  /** The election's record as the store has it. */
  get record(): (ElectionRecord & { readonly version: Revision }) | undefined {
    return this.recordOf(ELECTION);
  }

  recordOf(election: string): (ElectionRecord & { readonly version: Revision }) | undefined {
    const stored = this.stored(KEYS.election(election));
    const value = stored && parseValue("election", stored.value);
    return value && { ...value, version: stored.version };
  }

  /** The ownership changes of an election, oldest first. */
  history(election: string = ELECTION): readonly HistoryRecord[] {
    const { records } = this.backend.read(KEYS.historyOf(election));
    return records.flatMap(({ value }) => parseHistory(value) ?? []).toSorted((a, b) => a.seq - b.seq);
  }

  /** What former holders reported of how they lost the election, oldest first. */
  losses(election: string = ELECTION): readonly LossRecord[] {
    const { records } = this.backend.read(KEYS.historyOf(election));
    return records.flatMap(({ value }) => parseLoss(value) ?? []).toSorted((a, b) => a.seq - b.seq);
  }

  get lastReason(): Reason | undefined {
    return this.history().at(-1)?.reason;
  }

  stored(key: string): StoredRecord | undefined {
    return this.backend.read(key).records.find((record) => record.key === key);
  }

  session(name: string): StoredRecord | undefined {
    return this.stored(KEYS.session(name));
  }

  /** The lease that a node's session publishes, in milliseconds. */
  publishedTtlMs(name: string): number | undefined {
    const stored = this.session(name);
    return stored && parseValue("session", stored.value)?.ttlMs;
  }

  /** Writes a record as somebody from outside would. */
  put(key: string, value: string | null): void {
    this.tampered = true;
    this.apply({ guards: [], writes: [{ key, value }] });
  }

  /** Damages a record, or writes what vipctl would: what is promised must hold all the same. */
  write(txn: Txn): boolean {
    const { kind } = this.backend.commit(txn);
    this.after(0, () => this.deliver());
    return kind === "committed";
  }

  /** Loses the data and keeps only `records`, in a new epoch. */
  loseData(records: readonly StoredRecord[]): void {
    this.backend.beginEpoch(records);
    this.after(0, () => this.deliver());
  }

  after(ms: number, run: () => void): void {
    this.due.push({ at: later(this.now, ms), run });
  }

  /** Lets time pass: everything that falls due is done in its order. */
  advance(ms: number): void {
    const end = later(this.now, ms);
    this.deliver();
    for (let rounds = 0; ; rounds += 1) {
      if (rounds > 100_000) throw new Error("the machines do not come to rest");
      const next = this.due.toSorted((a, b) => a.at - b.at)[0];
      const sleeper = this.nodes.filter((node) => node.isAwake).toSorted((a, b) => a.wakeup() - b.wakeup())[0];
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

  /** Lets time pass until a node has sent another commit. */
  untilHeartbeat(node: Node): void {
    const before = node.commits.length;
    this.until(() => node.commits.length > before);
  }

  read(node: Node, { scope, timeoutMs }: Extract<Effect, { type: "read" }>): void {
    const link = node.readLink ?? node.link;
    if (link === "refused") return this.after(0, () => node.post({ type: "read-failed", message: "refused" }));
    if (link !== "good") return this.after(timeoutMs, () => node.post({ type: "read-failed", message: "no answer" }));
    const snapshot = this.backend.read(scope === "all" ? KEYS.live : KEYS.fleet);
    this.after(node.readLagMs, () => {
      node.post({ type: "read", scope, snapshot });
      // A watch goes on from where everything is known.
      if (scope === "all") node.watch ??= { since: snapshot.revision, epoch: snapshot.epoch };
    });
  }

  commit(node: Node, { attempt, txn, timeoutMs }: Extract<Effect, { type: "commit" }>): void {
    const link = node.commitLink ?? node.link;
    if (link === "refused")
      return this.after(node.answerMs, () => node.post({ type: "refused", attempt, message: "refused" }));
    if (link === "good")
      return node.lagMs === 0
        ? this.arrive(node, attempt, txn)
        : this.after(node.lagMs, () => this.arrive(node, attempt, txn));
    if (link === "unanswered") this.apply(txn);
    if (link === "late") this.after(this.arrivesMs, () => this.apply(txn));
    this.after(timeoutMs, () => node.post({ type: "unknown", attempt, message: "no answer" }));
  }

  /** No other host may be able to answer: neither told to, nor still releasing, while its lease runs. */
  onGain(node: Node): void {
    if (this.tampered) return;
    for (const other of this.everybody) {
      if (other.name === node.name || this.now >= fenceUntil(other.state.validUntil)) continue;
      const ips = new Set([...other.bound.values()].flat());
      for (const [election, addresses] of node.bound) {
        const shared = other.bound.has(election) ? election : addresses.find((ip) => ips.has(ip));
        assert(shared === undefined, `${node.name} gains ${election} while ${other.name} answers for ${shared}`);
      }
    }
  }

  private arrive(node: Node, attempt: number, txn: Txn): void {
    const result = this.backend.commit(txn);
    this.after(node.answerMs, () =>
      node.post(result.kind === "conflict" ? { type: "conflict", attempt } : { ...result, type: "committed", attempt }),
    );
    this.after(0, () => this.deliver());
  }

  private apply(txn: Txn): void {
    this.backend.commit(txn);
    this.after(0, () => this.deliver());
  }

  /** The watches bring what they have not brought yet. */
  private deliver(): void {
    for (const node of this.nodes) {
      if (node.watch === null || !node.watching || !node.isAwake || node.link !== "good") continue;
      const found = this.backend.changesAfter(KEYS.live, node.watch.since, node.watch.epoch);
      if (found.kind === "gap") {
        node.watch = null;
        node.post({ type: "gap", reason: found.reason });
        continue;
      }
      node.watch.since = found.revision;
      if (found.changes.length > 0) node.post({ type: "changes", changes: found.changes });
    }
  }

  private moveTo(when: Instant): void {
    if (when > this.now) this.now = when;
  }
}

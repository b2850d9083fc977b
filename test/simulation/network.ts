// The way between one process and the store: requests and answers are late or lost, a commit may be applied long after
// its sender has given up on it, and a watch repeats, lags, falls silent, or ends.

import type { Change, Revision, Txn } from "../../src/ports/store.ts";
import type { CommitOutcome, ReadResult, StoreCalls, WatchNews } from "../../src/runtime/store-calls.ts";
import type { HostClock } from "./host-clock.ts";
import type { StoreModel } from "./store-model.ts";
import type { Process, TrueTime, World } from "./world.ts";

/** How bad a way is; chances per message. */
export interface Weather {
  readonly delayMs: readonly [low: number, high: number];
  readonly lossChance: number;
  /** A message that takes up to `lateMs`. */
  readonly lateChance: number;
  readonly lateMs: number;
  readonly refuseChance: number;
  /** Watches that fall silent, whose changes come twice, and that end with a gap. */
  readonly silenceChance: number;
  readonly repeatChance: number;
  readonly gapChance: number;
}

/** The state of the ways to the store, shared by all, changed by faults. */
export class Network {
  readonly world: World;
  readonly store: StoreModel;
  weather: Weather;
  /** No message is under way longer than this: the world becomes calm in the end. */
  calmAt: TrueTime;
  /** By host: which directions are cut. */
  readonly cut = new Map<string, "requests" | "answers" | "both">();
  /** A master that has lost its place, and the hosts that still talk to it; it confirms nothing, and reads of it prove nothing. */
  former: { readonly store: StoreModel; readonly hosts: ReadonlySet<string> } | null = null;
  /** The store itself does not answer. */
  outage: "none" | "refuses" | "silent" = "none";

  /** For a canary: a master without replicas is believed. */
  believesFormer = false;

  constructor(world: World, store: StoreModel, weather: Weather, calmAt: TrueTime) {
    this.world = world;
    this.store = store;
    this.weather = weather;
    this.calmAt = calmAt;
  }

  /** The store that a host talks to; `proves`: what it says counts. */
  storeOf(host: string): { readonly store: StoreModel; readonly proves: boolean } {
    const isFormer = this.former?.hosts.has(host) === true;
    return isFormer && this.former !== null
      ? { store: this.former.store, proves: this.believesFormer }
      : { store: this.store, proves: true };
  }

  /** A message's way in one direction: when it arrives, or `null` when it is lost. */
  travel(host: string, direction: "requests" | "answers"): TrueTime | null {
    const { random, now } = this.world;
    const { weather } = this;
    const cut = this.cut.get(host);
    if (cut === "both" || cut === direction || random.chance(weather.lossChance)) return null;
    const [low, high] = weather.delayMs;
    const late = random.chance(weather.lateChance) ? random.next() * weather.lateMs : 0;
    const at = now + low + random.next() * (high - low) + late;
    return late > 0 ? Math.min(at, Math.max(this.calmAt, now + high)) : at;
  }
}

/** One process' connection. Each call is answered exactly once, by its time limit at the latest. */
export class StoreLink implements StoreCalls {
  private readonly network: Network;
  private readonly process: Process;
  private readonly host: string;
  private readonly clock: HostClock;
  private closed = false;

  constructor(network: Network, process: Process, host: string, clock: HostClock) {
    this.network = network;
    this.process = process;
    this.host = host;
    this.clock = clock;
  }

  read(prefix: string, timeoutMs: number, done: (result: ReadResult) => void): void {
    this.call<ReadResult>(
      timeoutMs,
      ({ store }) => ({ kind: "read", snapshot: store.read(prefix) }),
      (trouble) => ({ kind: "failed", message: trouble }),
      done,
    );
  }

  commit(txn: Txn, timeoutMs: number, done: (outcome: CommitOutcome) => void): void {
    const { epoch } = this.network.storeOf(this.host).store;
    this.call<CommitOutcome>(
      timeoutMs,
      // The contract: what was sent before a new epoch began is not applied in it.
      ({ store }) => (store.epoch === epoch ? store.commit(txn) : { kind: "conflict" }),
      (kind) => ({ kind, message: kind }),
      done,
    );
  }

  /** In order and complete, unless it is silent from some change on, or ends. */
  watch(prefix: string, since: Revision, tell: (news: WatchNews) => void): () => void {
    const { network } = this;
    const { world } = network;
    let latest = 0;
    let over = false;
    let silent = false;
    const deliver = (at: number, news: readonly Change[] | null): void => {
      world.at(
        at,
        () => {
          if (over || this.closed) return;
          if (news === null) over = true;
          tell(news === null ? { kind: "ended", reason: "changes are missing" } : { kind: "changes", changes: news });
        },
        this.process,
      );
    };
    let unfollow = (): void => {};
    unfollow = network.storeOf(this.host).store.follow(prefix, since, (changes) => {
      if (this.process.dead || over) return unfollow();
      const { weather } = network;
      const at = network.outage === "none" ? network.travel(this.host, "answers") : null;
      // What is lost on a stream is sent again, and meanwhile nothing else comes.
      if (at === null || world.random.chance(weather.silenceChance)) silent = true;
      if (silent && changes !== null) return;
      const ends = changes === null || world.random.chance(weather.gapChance);
      latest = Math.max(at ?? world.now + 1, latest);
      deliver(latest, ends ? null : changes);
      if (!ends && world.random.chance(weather.repeatChance)) deliver(latest + world.random.next() * 50, changes);
    });
    return () => {
      over = true;
      unfollow();
    };
  }

  close(): void {
    this.closed = true;
  }

  private call<T>(
    timeoutMs: number,
    run: (there: { readonly store: StoreModel }) => T,
    fail: (how: "refused" | "unknown") => T,
    done: (value: T) => void,
  ): void {
    const { world } = this.network;
    let settled = false;
    const settle = (value: T): void => {
      if (settled || this.closed) return;
      settled = true;
      cancelLimit();
      done(value);
    };
    const cancelLimit = world.at(
      world.now + this.clock.stretch(timeoutMs),
      () => settle(fail("unknown")),
      this.process,
    );
    if (world.random.chance(this.network.weather.refuseChance) || this.network.outage === "refuses") {
      world.at(world.now + 0.3, () => settle(fail("refused")), this.process);
      return;
    }
    const arrives = this.network.travel(this.host, "requests");
    if (arrives === null) return;
    world.at(arrives, () => {
      if (this.network.outage !== "none") return;
      const there = this.network.storeOf(this.host);
      const value = run(there);
      if (!there.proves) return;
      const back = this.network.travel(this.host, "answers");
      if (back !== null) world.at(back, () => settle(value), this.process);
    });
  }
}

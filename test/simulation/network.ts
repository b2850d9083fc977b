// The way between one process and the store: requests and answers are late or lost, a commit may be applied
// long after its sender has given up on it, and a watch drops, repeats and reorders.

import type { Change, Revision, Snapshot, Txn } from "../../src/ports/store.ts";
import type { StoreModel } from "./store-model.ts";
import type { Process, TrueTime, World } from "./world.ts";
import type { HostClock } from "./host-clock.ts";

/** How bad a way is; chances per message. */
export interface Weather {
  readonly delayMs: readonly [low: number, high: number];
  readonly lossChance: number;
  /** A message that takes up to `lateMs`. */
  readonly lateChance: number;
  readonly lateMs: number;
  readonly refuseChance: number;
  /** Watch events dropped, repeated, and told as gaps. */
  readonly dropChance: number;
  readonly repeatChance: number;
  readonly gapChance: number;
}

/** How a commit or a read ended. */
export type Answer<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "refused" }
  | { readonly kind: "unknown" };

type CommitValue = ReturnType<StoreModel["commit"]>;

const CONFLICT: CommitValue = { kind: "conflict" };

/** The state of the ways to the store, shared by all, changed by faults. */
export class Network {
  readonly world: World;
  readonly store: StoreModel;
  weather: Weather;
  /** No message is under way longer than this: the world becomes calm in the end. */
  calmAt: TrueTime;
  /** By host: which directions are cut. */
  readonly cut = new Map<string, "requests" | "answers" | "both">();
  /** The store itself does not answer. */
  outage: "none" | "refuses" | "silent" = "none";

  constructor(world: World, store: StoreModel, weather: Weather, calmAt: TrueTime) {
    this.world = world;
    this.store = store;
    this.weather = weather;
    this.calmAt = calmAt;
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
export class StoreLink {
  private readonly network: Network;
  private readonly process: Process;
  private readonly host: string;
  private readonly clock: HostClock;

  constructor(network: Network, process: Process, host: string, clock: HostClock) {
    this.network = network;
    this.process = process;
    this.host = host;
    this.clock = clock;
  }

  read(prefix: string, timeoutMs: number, onAnswer: (answer: Answer<Snapshot>) => void): void {
    this.call(timeoutMs, () => this.network.store.read(prefix), onAnswer);
  }

  commit(txn: Txn, timeoutMs: number, onAnswer: (answer: Answer<CommitValue>) => void): void {
    const { store } = this.network;
    const { epoch } = store;
    // The contract: what was sent before a new epoch began is not applied in it.
    this.call(timeoutMs, () => (store.epoch === epoch ? store.commit(txn) : CONFLICT), onAnswer);
  }

  /** Follows changes until the process dies; `null` is a gap. The result ends it. */
  watch(prefix: string, since: Revision, onNews: (changes: readonly Change[] | null) => void): () => void {
    const { network } = this;
    const { world } = network;
    let latest = 0;
    let ended = false;
    const tell = (news: readonly Change[] | null): void => {
      if (!ended) onNews(news);
    };
    const unfollow = network.store.follow(prefix, since, (changes) => {
      if (this.process.dead) return stop();
      const { weather } = network;
      const at = network.outage === "none" ? network.travel(this.host, "answers") : null;
      if (at === null || world.random.chance(weather.dropChance)) return;
      const news = world.random.chance(weather.gapChance) ? null : changes;
      // Without reordering a watch is a stream: nothing arrives before what was sent earlier.
      latest = world.random.chance(weather.repeatChance) ? at : Math.max(at, latest);
      world.at(latest, () => tell(news), this.process);
      if (world.random.chance(weather.repeatChance))
        world.at(latest + 1 + world.random.next() * 50, () => tell(news), this.process);
    });
    const stop = (): void => {
      ended = true;
      unfollow();
    };
    return stop;
  }

  private call<T>(timeoutMs: number, run: () => T, onAnswer: (answer: Answer<T>) => void): void {
    const { world } = this.network;
    let settled = false;
    const settle = (answer: Answer<T>): void => {
      if (settled) return;
      settled = true;
      cancelLimit();
      onAnswer(answer);
    };
    const cancelLimit = world.at(
      world.now + this.clock.stretch(timeoutMs),
      () => settle({ kind: "unknown" }),
      this.process,
    );
    if (world.random.chance(this.network.weather.refuseChance) || this.network.outage === "refuses") {
      world.at(world.now + 0.3, () => settle({ kind: "refused" }), this.process);
      return;
    }
    const arrives = this.network.travel(this.host, "requests");
    if (arrives === null) return;
    world.at(arrives, () => {
      if (this.network.outage !== "none") return;
      const value = run();
      const back = this.network.travel(this.host, "answers");
      if (back !== null) world.at(back, () => settle({ kind: "done", value }), this.process);
    });
  }
}

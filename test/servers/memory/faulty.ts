// Any store seen through a bad network: late and lost calls, commits whose outcome nobody knows, and a watch that repeats,
// falls silent, or ends with a gap. Everything is drawn from a seed, and happens in the time that is handed in.

import { newEpochBegan } from "../../../adapters/common/failures.ts";
import { VipdError } from "../../../src/base/errors.ts";
import type { Random } from "../../../src/base/random.ts";
import { later } from "../../../src/base/time.ts";
import type { Timers } from "../../../src/ports/clock.ts";
import type { CallLimits, CommitResult, Revision, Snapshot, Store, Txn, WatchEvent } from "../../../src/ports/store.ts";

/** How bad it is. Chances are per call or watch event, from 0 to 1; the object may be changed while it is in use. */
export interface Faults {
  /** How long a request, an answer and a watch event take, at least and at most, in milliseconds. */
  delayMs: readonly [low: number, high: number];
  /** The call fails before it is sent: "store-unavailable". */
  lossChance: number;
  /** The call gets no answer: a read ends by "timeout", a commit by "outcome-unknown"; it was applied, was not, or will be. */
  silenceChance: number;
  /** A commit that is applied after its caller has given up comes so much later, at most, in milliseconds. */
  lateMs: number;
  /** The watch brings nothing more, without a word. */
  stallChance: number;
  /** The watch ends with a gap. */
  gapChance: number;
  /** A watch event that comes again. */
  repeatChance: number;
}

/** No faults, to be overridden one by one. */
export const NO_FAULTS: Readonly<Faults> = {
  delayMs: [0, 0],
  lossChance: 0,
  silenceChance: 0,
  lateMs: 0,
  stallChance: 0,
  gapChance: 0,
  repeatChance: 0,
};

/** What a faulty store works with. */
export interface FaultyDeps {
  readonly timers: Timers;
  readonly random: Random;
  readonly faults: Faults;
  /** Names the store's epoch now: a commit that arrives in another one than it was sent in is refused. */
  readonly epoch?: () => string;
}

/** `store` as it looks through the given faults. Closing it closes `store`. */
export function faultyStore(store: Store, deps: FaultyDeps): Store {
  return new FaultyStore(store, deps);
}

type Ending = "timeout" | "aborted" | "closed";

class FaultyStore implements Store {
  private readonly store: Store;
  private readonly deps: FaultyDeps;
  private readonly ending = new AbortController();

  constructor(store: Store, deps: FaultyDeps) {
    this.store = store;
    this.deps = deps;
  }

  get guarantees(): Store["guarantees"] {
    return this.store.guarantees;
  }

  async read(prefix: string, limits: CallLimits): Promise<Snapshot> {
    const { random, faults } = this.deps;
    this.checkSendable(limits);
    const [lost, silent] = [random.chance(faults.lossChance), random.chance(faults.silenceChance)];
    const work = async (): Promise<Snapshot> => {
      await this.travel();
      if (lost) throw new VipdError("store-unavailable", "the request was lost");
      if (silent) return silence();
      const snapshot = await this.store.read(prefix, { timeoutMs: limits.timeoutMs });
      await this.travel();
      return snapshot;
    };
    return this.limited(work, limits, readError);
  }

  async commit(txn: Txn, limits: CallLimits): Promise<CommitResult> {
    const { random, faults } = this.deps;
    this.checkSendable(limits);
    const [lost, silent] = [random.chance(faults.lossChance), random.chance(faults.silenceChance)];
    const arrive = this.departure(txn, limits.timeoutMs);
    const work = async (): Promise<CommitResult> => {
      await this.travel();
      if (lost) throw new VipdError("store-unavailable", "the request was lost");
      if (silent) return this.vanish(arrive, limits.timeoutMs);
      const result = await arrive();
      await this.travel();
      return result;
    };
    return this.limited(work, limits, commitError);
  }

  async *watch(prefix: string, since: Revision, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const { random, faults } = this.deps;
    const either = AbortSignal.any([signal, this.ending.signal]);
    for await (const event of this.store.watch(prefix, since, either)) {
      await this.travel();
      if (either.aborted) return;
      if (random.chance(faults.stallChance)) return aborted(either);
      if (random.chance(faults.gapChance)) {
        yield { kind: "gap", reason: "changes were lost on the way" };
        return;
      }
      yield event;
      if (random.chance(faults.repeatChance)) yield event;
    }
  }

  async close(): Promise<void> {
    this.ending.abort();
    await this.store.close();
  }

  /** A commit that is sent now, and may arrive later. */
  private departure(txn: Txn, timeoutMs: number): () => Promise<CommitResult> {
    const { epoch = () => "" } = this.deps;
    const meantFor = epoch();
    return async () => {
      if (epoch() !== meantFor) throw newEpochBegan("memory");
      return this.store.commit(txn, { timeoutMs });
    };
  }

  /** The answer never comes; the commit was applied, was lost, or is applied when nobody waits for it any more. */
  private async vanish(arrive: () => Promise<CommitResult>, timeoutMs: number): Promise<never> {
    const { random, faults } = this.deps;
    const fate = random.pick(["applied", "lost", "late"] as const);
    if (fate === "late") await this.wait(timeoutMs + random.next() * faults.lateMs);
    // Whatever comes of it, nobody is told: that is the fault.
    if (fate !== "lost") await arrive().catch(silence);
    return silence();
  }

  private checkSendable({ signal }: CallLimits): void {
    if (this.ending.signal.aborted) throw new VipdError("store-unavailable", "the store has been closed");
    if (signal?.aborted === true) throw new VipdError("aborted", "given up before the store was asked");
  }

  private travel(): Promise<void> {
    const [low, high] = this.deps.faults.delayMs;
    return high === 0 ? Promise.resolve() : this.wait(low + this.deps.random.next() * (high - low));
  }

  private wait(ms: number): Promise<void> {
    const { timers } = this.deps;
    return new Promise((resolve) => timers.at(later(timers.now(), ms), resolve));
  }

  /** The result of `work`, or an error when the call's limits come first; the work itself goes on: it is on its way. */
  private limited<T>(
    work: () => Promise<T>,
    { timeoutMs, signal }: CallLimits,
    errorOf: (why: Ending) => VipdError,
  ): Promise<T> {
    const { timers } = this.deps;
    return new Promise((resolve, reject) => {
      const tidy = (): void => {
        cancel();
        signal?.removeEventListener("abort", onAbort);
        this.ending.signal.removeEventListener("abort", onClose);
      };
      const end = (why: Ending) => (): void => {
        tidy();
        reject(errorOf(why));
      };
      const [onAbort, onClose] = [end("aborted"), end("closed")];
      const cancel = timers.at(later(timers.now(), timeoutMs), end("timeout"));
      signal?.addEventListener("abort", onAbort, { once: true });
      this.ending.signal.addEventListener("abort", onClose, { once: true });
      void work().then(resolve, reject).finally(tidy);
    });
  }
}

function readError(why: Ending): VipdError {
  if (why === "closed") return new VipdError("store-unavailable", "the store has been closed");
  return new VipdError(
    why,
    why === "timeout" ? "the store did not answer in time" : "given up while the store was asked",
  );
}

function commitError(why: Ending): VipdError {
  return new VipdError("outcome-unknown", `nobody knows whether it was applied: ${why}`, { why });
}

function silence(): Promise<never> {
  return new Promise(() => {});
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

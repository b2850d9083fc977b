// The virtual world's true time: a queue of events, and processes that can be frozen or killed at any point of
// their code. A process that freezes in the middle of a step keeps its place on the stack while the rest of
// the world goes on in a nested turn of the queue; what arrives for it meanwhile waits until it thaws.

import { AssertionError } from "../../src/base/assert.ts";
import type { Random } from "../../src/base/random.ts";

/** True time in milliseconds since the world began. No clock in the world shows it. */
export type TrueTime = number;

/** Thrown through the code of a process that is killed while it runs. */
export class Killed extends Error {
  override readonly name = "Killed";
}

interface Entry {
  at: TrueTime;
  readonly order: number;
  readonly run: () => void;
  readonly owner: Process | null;
  cancelled: boolean;
}

/** Time, chance and what is to come. */
export class World {
  readonly random: Random;
  readonly transcript: string[] = [];
  /** Whether lines are kept for people. */
  readonly verbose: boolean;
  /** Bugs that the machines themselves noticed. */
  readonly broken: string[] = [];
  now: TrueTime = 0;
  /** From here on nothing strikes a process any more, and nobody is frozen. */
  calmAt: TrueTime = Number.POSITIVE_INFINITY;
  private readonly heap: Entry[] = [];
  private order = 0;

  constructor(random: Random, verbose: boolean) {
    this.random = random;
    this.verbose = verbose;
  }

  /** Calls `run` at `at`; when it belongs to a process, not while that is frozen, and never once it is dead. */
  at(at: TrueTime, run: () => void, owner: Process | null = null): () => void {
    const entry: Entry = { at: Math.max(at, this.now), order: this.order++, run, owner, cancelled: false };
    this.push(entry);
    return () => {
      entry.cancelled = true;
    };
  }

  /** Lets everything happen until `end`. Also called by a process that is frozen on the stack. */
  runUntil(end: TrueTime): void {
    for (let next = this.heap[0]; next !== undefined && next.at <= end; next = this.heap[0]) {
      this.pop();
      const { owner } = next;
      if (next.cancelled || owner?.dead === true) continue;
      if (next.at > this.now) this.now = next.at;
      if (owner?.frozen === true) owner.missed.push(next.run);
      else if (owner !== null && owner.busyUntil > this.now) {
        next.at = owner.busyUntil;
        this.push(next);
      } else {
        if (owner !== null) owner.busyUntil = this.now + owner.stepMs;
        this.call(next.run);
      }
    }
    if (end > this.now) this.now = end;
  }

  say(who: string, text: () => string): void {
    if (this.verbose) this.transcript.push(`${this.now.toFixed(2).padStart(10)}  ${who.padEnd(8)} ${text()}`);
  }

  private call(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (error instanceof Killed) return;
      if (!(error instanceof AssertionError)) throw error;
      this.broken.push(error.message);
    }
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (before(heap[parent] as Entry, entry)) break;
      heap[index] = heap[parent] as Entry;
      index = parent;
    }
    heap[index] = entry;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Entry;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const child = right < heap.length && before(heap[right] as Entry, heap[left] as Entry) ? right : left;
      if (before(last, heap[child] as Entry)) break;
      heap[index] = heap[child] as Entry;
      index = child;
    }
    heap[index] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** What strikes a process at one of its next points of code. */
type Strike =
  | { after: number; readonly kind: "kill" }
  | { after: number; readonly kind: "freeze"; readonly forMs: number };

/** A process of the operating system: it runs, is frozen, or is dead. */
export class Process {
  readonly name: string;
  dead = false;
  frozen = false;
  /** How long each of its steps keeps it from the next one: an event loop that does too much else. */
  stepMs = 0;
  busyUntil: TrueTime = 0;
  /** When it last went on after it had been stopped. */
  thawedAt: TrueTime = Number.NEGATIVE_INFINITY;
  /** Until when the whole machine sleeps. */
  asleepUntil: TrueTime = 0;
  /** What arrived while it was frozen. */
  readonly missed: (() => void)[] = [];
  private readonly world: World;
  private strike: Strike | null = null;
  /** Frozen with a step on the stack: only that step's own end thaws it. */
  private inStep = false;
  private readonly onDeath: () => void;

  constructor(name: string, world: World, onDeath: () => void) {
    this.name = name;
    this.world = world;
    this.onDeath = onDeath;
  }

  /** A point between two instructions where the kernel may stop this process. Every call of a port passes some. */
  point(): void {
    if (this.dead) throw new Killed();
    const { strike } = this;
    if (strike === null || --strike.after > 0) return;
    this.strike = null;
    if (this.world.now >= this.world.calmAt) return;
    if (strike.kind === "kill") this.kill();
    else {
      this.frozen = true;
      this.inStep = true;
      this.world.say(this.name, () => `frozen in the middle of a step, for ${strike.forMs.toFixed(1)} ms`);
      this.world.runUntil(Math.min(this.world.now + strike.forMs, this.world.calmAt));
      while (this.asleepUntil > this.world.now) this.world.runUntil(this.asleepUntil);
      this.inStep = false;
      this.thaw();
    }
    if (this.dead) throw new Killed();
  }

  /** Freezes it for `forMs`: now, or at the `after`-th point of code from now. */
  freeze(after: number, forMs: number): void {
    if (this.dead || this.frozen) return;
    if (after > 0) {
      this.strike = { after, kind: "freeze", forMs };
      return;
    }
    this.frozen = true;
    this.world.say(this.name, () => `frozen for ${forMs.toFixed(1)} ms`);
    this.world.at(Math.min(this.world.now + forMs, this.world.calmAt), () => this.thaw());
  }

  /** The machine falls asleep, and wakes up after `forMs`; the process goes on `moreMs` later. */
  sleep(forMs: number, moreMs: number): void {
    if (this.dead) return;
    this.asleepUntil = this.world.now + forMs;
    this.frozen = true;
    this.world.at(this.asleepUntil + moreMs, () => this.thaw());
  }

  /** Kills it: now, or at the `after`-th point of code from now. */
  killAfter(after: number): void {
    if (after === 0 || this.frozen) this.kill();
    else if (!this.dead) this.strike = { after, kind: "kill" };
  }

  kill(): void {
    if (this.dead) return;
    this.dead = true;
    this.missed.length = 0;
    this.world.say(this.name, () => "killed");
    this.onDeath();
  }

  /** Whether somebody has frozen it; while its machine sleeps it is not this that stops it. */
  get isStopped(): boolean {
    return this.frozen && this.asleepUntil <= this.world.now;
  }

  private thaw(): void {
    if (this.dead || !this.frozen || this.inStep || this.asleepUntil > this.world.now) return;
    this.frozen = false;
    this.thawedAt = this.world.now;
    this.world.say(this.name, () => "thawed");
    for (const run of this.missed.splice(0)) this.world.at(this.world.now, run, this);
  }
}

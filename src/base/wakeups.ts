// The named deadlines of a machine: who wants to be woken, and when. Setting one, and finding the next, costs
// the logarithm of how many there are: thousands of elections may each have theirs.

import { type Instant, NEVER } from "./time.ts";

interface Entry {
  readonly name: string;
  readonly at: Instant;
}

/** A table of deadlines by name; each name has at most one. */
export class Wakeups {
  private readonly deadlines = new Map<string, Instant>();
  /** A binary heap, soonest first; an entry whose name has another deadline by now is stale. */
  private readonly heap: Entry[] = [];

  /** How many names have a deadline. */
  get size(): number {
    return this.deadlines.size;
  }

  /** When `name` is due; `NEVER` when it is not waiting. */
  at(name: string): Instant {
    return this.deadlines.get(name) ?? NEVER;
  }

  /** Gives `name` this deadline in place of its former one; `NEVER` takes it away. */
  set(name: string, at: Instant): void {
    if (this.deadlines.get(name) === at) return;
    if (at === NEVER) {
      this.deadlines.delete(name);
      return;
    }
    this.deadlines.set(name, at);
    this.push({ name, at });
    if (this.heap.length > 64 && this.heap.length > 4 * this.deadlines.size) this.rebuild();
  }

  /** The soonest deadline; `NEVER` when there is none. */
  next(): Instant {
    for (let top = this.heap[0]; top !== undefined; top = this.heap[0]) {
      if (this.deadlines.get(top.name) === top.at) return top.at;
      this.pop();
    }
    return NEVER;
  }

  /** Takes out the names that are due at `now`, soonest first, at most `most` of them. */
  takeDue(now: Instant, most = Number.POSITIVE_INFINITY): readonly string[] {
    const due: string[] = [];
    while (due.length < most && this.next() <= now) {
      const top = this.pop();
      if (top === undefined) break;
      this.deadlines.delete(top.name);
      due.push(top.name);
    }
    return due;
  }

  /** All deadlines, soonest first, at most `most` of them: for status. */
  list(most: number): readonly { readonly name: string; readonly at: Instant }[] {
    return [...this.deadlines]
      .map(([name, at]) => ({ name, at }))
      .sort((a, b) => a.at - b.at)
      .slice(0, most);
  }

  private rebuild(): void {
    this.heap.length = 0;
    for (const [name, at] of this.deadlines) this.push({ name, at });
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Entry;
      if (above.at <= entry.at) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  private pop(): Entry | undefined {
    const { heap } = this;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && right.at < (heap[child] as Entry).at) child += 1;
      const below = heap[child] as Entry;
      if (last.at <= below.at) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}

// A watch made of looks: whoever watches looks for changes, waits for word that there may be more, and looks again.

import type { Change, Revision, WatchEvent } from "../../src/ports/store.ts";

/** What a look finds: changes up to `revision`, or why they cannot be told. */
export type FoundChanges =
  | { readonly kind: "changes"; readonly revision: Revision; readonly changes: readonly Change[] }
  | { readonly kind: "gap"; readonly reason: string };

/** Those who wait for word that there may be something new. */
export class Waiters {
  private readonly waiting = new Set<() => void>();

  get size(): number {
    return this.waiting.size;
  }

  /** Settles at the next word, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      this.waiting.add(done);
      signal.addEventListener("abort", done, { once: true });
      if (signal.aborted) done();
    });
  }

  /** There may be something new. */
  tell(): void {
    for (const done of [...this.waiting]) done();
  }
}

/** What a watch by looks works with. */
export interface LookDeps {
  /** Settles when there may be something new, or when the signal aborts. */
  readonly next: (signal: AbortSignal) => Promise<void>;
  readonly changesAfter: (since: Revision) => FoundChanges;
}

/** Looks again at each word, until a gap or the signal ends it. */
export async function* watchByLooks(
  since: Revision,
  { next, changesAfter }: LookDeps,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  let from = since;
  while (!signal.aborted) {
    // Asked for before the look, so that no change falls between the two.
    const news = next(signal);
    const found = changesAfter(from);
    if (found.kind === "gap") {
      yield found;
      return;
    }
    from = found.revision;
    if (found.changes.length > 0) yield { kind: "changes", changes: found.changes };
    await news;
  }
}

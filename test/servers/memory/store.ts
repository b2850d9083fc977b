// The Store over a MemoryBackend: calls are applied at once, in the caller's own turn.

import { type FoundChanges, watchByLooks } from "../../../adapters/common/watch.ts";
import { VipdError } from "../../../src/base/errors.ts";
import type {
  CallLimits,
  CommitResult,
  Revision,
  Snapshot,
  Store,
  StoreGuarantees,
  Txn,
  WatchEvent,
} from "../../../src/ports/store.ts";
import type { MemoryBackend } from "./backend.ts";

const GUARANTEES: StoreGuarantees = {
  name: "memory",
  minTtlMs: 200,
  tokenDurable: false,
  failoverSafe: false,
  caveats: ["it lives in one process and ends with it: for tests only"],
};

/** One view of a backend; several views of one backend are several clients of one store. */
export class MemoryStore implements Store {
  readonly guarantees = GUARANTEES;
  private readonly backend: MemoryBackend;
  private readonly ending = new AbortController();

  constructor(backend: MemoryBackend) {
    this.backend = backend;
  }

  async read(prefix: string, limits: CallLimits): Promise<Snapshot> {
    this.checkAllowed(limits);
    return Promise.resolve(this.backend.read(prefix));
  }

  async commit(txn: Txn, limits: CallLimits): Promise<CommitResult> {
    this.checkAllowed(limits);
    return Promise.resolve(this.backend.commit(txn));
  }

  async *watch(prefix: string, since: Revision, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const either = AbortSignal.any([signal, this.ending.signal]);
    const { backend } = this;
    const { epoch } = backend;
    const changesAfter = (from: Revision): FoundChanges => backend.changesAfter(prefix, from, epoch);
    yield* watchByLooks(since, { next: (until) => backend.next(until), changesAfter }, either);
  }

  async close(): Promise<void> {
    this.ending.abort();
    return Promise.resolve();
  }

  private checkAllowed({ signal }: CallLimits): void {
    if (this.ending.signal.aborted) throw new VipdError("store-unavailable", "the store has been closed");
    if (signal?.aborted === true) throw new VipdError("aborted", "given up before the store was asked");
  }
}

// The parent's end of a worker process.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { CommitResult, Snapshot, Txn } from "../../src/ports/store.ts";
import type { Operation } from "./contender.ts";
import type { Answer, Order } from "./worker.ts";

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));
const TIMEOUT_MS = 5_000;

/** A store that is open in a process of its own. One order at a time. */
export class Remote {
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  /** Starts a process and waits until its store is open. */
  static async start(url: string): Promise<Remote> {
    const remote = new Remote(fork(WORKER, [url], { serialization: "advanced", execArgv: [] }));
    await remote.answer();
    return remote;
  }

  read(prefix: string): Promise<Snapshot> {
    return this.order({ type: "read", prefix, timeoutMs: TIMEOUT_MS }) as Promise<Snapshot>;
  }

  commit(txn: Txn): Promise<CommitResult> {
    return this.order({ type: "commit", txn, timeoutMs: TIMEOUT_MS }) as Promise<CommitResult>;
  }

  contend(prefix: string, times: number): Promise<readonly Operation[]> {
    return this.order({ type: "contend", prefix, times }) as Promise<readonly Operation[]>;
  }

  /** Kills it at whatever instruction it is, and waits until it is dead. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exited;
  }

  private async order(order: Order): Promise<unknown> {
    this.child.send(order);
    return this.answer();
  }

  private async answer(): Promise<unknown> {
    const ending = new AbortController();
    const exit = once(this.child, "exit", { signal: ending.signal }).then(() => [{ error: "the worker ended" }]);
    try {
      const [answer] = (await Promise.race([once(this.child, "message", { signal: ending.signal }), exit])) as [Answer];
      if ("error" in answer) throw new Error(answer.error);
      return answer.result;
    } finally {
      exit.catch(() => {});
      ending.abort();
    }
  }
}

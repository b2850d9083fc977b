// A process of its own with one open Store, told by its parent what to do.

import { contend, type Operation } from "./contender.ts";
import { openStore } from "../../src/stores/index.ts";
import type { CommitResult, Snapshot, Store, Txn } from "../../src/ports/store.ts";

/** What a parent asks. */
export type Order =
  | { readonly type: "read"; readonly prefix: string; readonly timeoutMs: number }
  | { readonly type: "commit"; readonly txn: Txn; readonly timeoutMs: number }
  | { readonly type: "contend"; readonly prefix: string; readonly times: number };

/** What it is told. */
export type Answer =
  | { readonly result: Snapshot | CommitResult | readonly Operation[] | "ready" }
  | { readonly error: string };

function obey(store: Store, order: Order): Promise<Snapshot | CommitResult | readonly Operation[]> {
  switch (order.type) {
    case "read":
      return store.read(order.prefix, { timeoutMs: order.timeoutMs });
    case "commit":
      return store.commit(order.txn, { timeoutMs: order.timeoutMs });
    case "contend":
      return contend(store, order.prefix, order.times);
  }
}

function answer(message: Answer): void {
  process.send?.(message);
}

async function serve(url: string): Promise<void> {
  const store = await openStore(url);
  process.on("message", (order: Order) => {
    obey(store, order).then(
      (result) => answer({ result }),
      (error: unknown) => answer({ error: String(error) }),
    );
  });
  process.on("disconnect", () => process.exit(0));
  answer({ result: "ready" });
}

await serve(process.argv[2] ?? "");

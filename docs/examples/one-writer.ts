// Several copies of this program share one file; at any moment one of them writes to the journal.
//
//   node one-writer.ts sqlite:/tmp/fleet.db /tmp/journal.txt
//
// Run it five times, kill any of them, freeze any of them: the journal's tokens only grow, and no two writers mix.

import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { joinFleet } from "../../src/index.ts";

const [store = "", journal = "", ttlMs = "1000"] = process.argv.slice(2);
const member = await joinFleet({ store, fleet: "example", ttlMs: Number(ttlMs) });
process.once("SIGTERM", () => void member.leave());

const write = async ({
  signal,
  token,
  check,
}: {
  signal: AbortSignal;
  token: bigint;
  check: () => void;
}): Promise<void> => {
  while (!signal.aborted) {
    check();
    appendFileSync(journal, `${token} ${process.pid} ${process.hrtime.bigint()}\n`);
    await sleep(5);
  }
};

await member.lead("writer", write, { again: true }).catch((error: unknown) => {
  if (!(error instanceof Error && "code" in error && error.code === "aborted")) throw error;
});
await member.leave();

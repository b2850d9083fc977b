// What the simulation writes down for people who read a failing run.

import type { Effect } from "../../src/election/state.ts";
import type { Txn } from "../../src/ports/store.ts";
import type { CommitOutcome } from "../../src/runtime/store-calls.ts";

/** One effect of an election machine in one line. */
export function describe(effect: Effect): string {
  switch (effect.type) {
    case "commit":
      return `commit ${effect.attempt}: ${describeTxn(effect.txn)}`;
    case "gain":
      return `gain ${effect.grants.map(({ election, token }) => `${election} ${token}`).join(", ")}, until ${effect.until.toFixed(1)}`;
    case "extend":
      return `extend until ${effect.until.toFixed(1)}`;
    case "lose":
      return `lose ${effect.losses.map(({ election, reason }) => `${election}: ${reason.text}`).join(", ")}`;
    case "note":
      return `note: ${effect.text}`;
    default:
      return effect.type;
  }
}

/** How a commit ended. */
export function describeOutcome(outcome: CommitOutcome): string {
  return `commit: ${outcome.kind}${outcome.kind === "committed" ? ` at ${outcome.revision}` : ""}`;
}

/** The writes of a commit: last parts of keys, and what matters of the values. */
export function describeTxn(txn: Txn): string {
  return txn.writes
    .filter(({ key }) => !key.includes("/history/"))
    .map(({ key, value }) => `${key.split("/live/")[1]}=${value === null ? "gone" : shortly(value)}`)
    .join(" ");
}

function shortly(value: string): string {
  const fields = JSON.parse(value) as Readonly<Record<string, unknown>>;
  const shown = ["heartbeat", "holder", "eligible", "priority", "epoch", "incarnation", "election", "ttlMs"].filter(
    (name) => fields[name] !== undefined,
  );
  return `{${shown.map((name) => `${name}:${JSON.stringify(fields[name])}`).join(",")}}`;
}

// One vocabulary: words that the project has given up for those of the field, so that nobody has to learn them. The new
// word stands beside each.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const CODE = /^(?:src|adapters|test|docs)\/.*\.ts$/u;
const NODE = /^src\/node\/.*\.ts$/u;
/** Code, documents and messages. */
const ALL = /^(?:(?:src|adapters|test|docs|compose)\/|[^/]*\.md$|package\.json$|\.dependency-cruiser\.mjs$)/u;

/** What is not ours to name: records of other programs, captured bytes, and this list. */
const NOT_OURS = /^test\/(?:vectors|tidy\/vocabulary)|\.hex$/u;

const GIVEN_UP: readonly (readonly [old: RegExp, now: string, where: RegExp])[] = [
  [/\b(?!Kernel)\w*Modules\b(?<!KernelModules)/u, "Deps", CODE],
  [/\bbeats?\b|\b\w*Beat\b/u, "heartbeat", ALL],
  [/\bRhythms?\b/u, "LeaseTimings", ALL],
  [/[.{,]\s*life\b(?=\s*[,}.;)])|\breadonly life\b|\blifeId\b/u, "processId, runId", CODE],
  [/\btimelines?\b/iu, "epoch", ALL],
  [/\bmodest\w*/iu, "preemptSuppressed", ALL],
  [/\bunfit\b/iu, "holdBackoff", ALL],
  [/\b(?:heirlooms?|elders?|heirs?|inherited)\b/iu, "adopted, predecessor, successor", ALL],
  [/\b(?:informed|sureUpTo|quietUntil|storeTrouble)\b/u, "synced, confirmedRevision, backoffUntil, storeError", ALL],
  [/\bunsettled\b/iu, "inDoubtAttempts", ALL],
  [/\.(?:gives|leaves)\b|\breadonly (?:pure|gives|leaves)\b/u, "heartbeatOnly, releases, endsSession", CODE],
  [/\b(?:interface|type|class) (?:Part|Pack)\b/u, "Mutation, TxnBuilder", CODE],
  [/\b\w*objection\w*/iu, "ineligibleReason", ALL],
  [/\b(?:wasRead|doubtful|hesitating)\b|\bfunction (?:heard|answered)\b/u, "onSnapshot, onCommitUnknown", ALL],
  [/\bnamesakes?\b|\bMatters?\b|\bodds\b/u, "duplicateNodeHeartbeats, Condition, ttlMismatch", ALL],
  [/\bchanges? of hands\b/iu, "ownership change", ALL],
  [/\b(?:stand|hear|settle)\(/u, "updateCandidacy, onHostEvent, finishAdoption", NODE],
  [/\bmend(?:s|ed|ing)?\b/iu, "fix", ALL],
  [/\blooksOnly\b|\bmode: "look"/u, "readOnly", ALL],
  [
    /\bEar\b|\bharmless\b|\btellRemarks\b|\bassure\w*|\bfunction within\b/u,
    "ProbeSocket, withTimeout, escapeControl",
    ALL,
  ],
];

test.each(GIVEN_UP)("%s is not in use: %s", (old, _now, where) => {
  const tracked = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
  });
  const files = tracked.split("\0").filter((name) => where.test(name) && !NOT_OURS.test(name) && existsSync(name));
  expect(files.length).toBeGreaterThan(5);
  const found = files.flatMap((name) =>
    readFileSync(name, "utf8")
      .split("\n")
      .flatMap((line, i) => (old.test(line) ? [`${name}:${i + 1}: ${line.trim().slice(0, 100)}`] : [])),
  );
  expect(found).toEqual([]);
});

test("the list is seen to find what it looks for", () => {
  const lines = ["const readModules = 1", "a beat", "Rhythm", "timeline", "its heir", "{ objections }", "to mend it"];
  for (const line of lines)
    expect(
      GIVEN_UP.some(([old]) => old.test(line)),
      line,
    ).toBe(true);
  for (const line of ["ProtectKernelModules=yes", "a heartbeat", "their", "understand(it)", "recommended"])
    expect(
      GIVEN_UP.some(([old]) => old.test(line)),
      line,
    ).toBe(false);
});

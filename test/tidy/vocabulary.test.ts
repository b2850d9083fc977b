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
  [/(?<!heart)beat(?!en\b)/iu, "heartbeat", ALL],
  [/\brhythms?\b/iu, "LeaseTimings, interval", ALL],
  [/[.{,]\s*life\b(?=\s*[,}.;)])|\b(?:readonly|private) li(?:fe|ves)\b|\blifeId\b/u, "processId, runId", CODE],
  [/\b(?:a|one|new|own|this|former|earlier|last|next|holder's|process') life\b/iu, "processId, runId", ALL],
  [/\btimelines?\b/iu, "epoch", ALL],
  [/\bmodest\w*/iu, "preemptSuppressed", ALL],
  [/\bunfit\b/iu, "holdBackoff", ALL],
  [/\b(?:heirlooms?|elders?|heirs?|inherited)\b/iu, "adopted, predecessor, successor", ALL],
  [/\b(?:informed|sureUpTo|quietUntil|storeTrouble)\b/u, "synced, confirmedRevision, backoffUntil, storeError", ALL],
  [/\bunsettled\b/iu, "inDoubtAttempts", ALL],
  [/\.(?:gives|leaves)\b|\breadonly (?:pure|gives|leaves)\b/u, "heartbeatOnly, releases, endsSession", CODE],
  [/\b(?:interface|type|class) (?:Part|Pack)\b/u, "Mutation, TxnBuilder", CODE],
  [/\b\w*objection\w*|\bobjects? to\b|\bobject(?:ing|ed)\b|\b(?:may|who|nobody) objects?\b/iu, "ineligibleReason", ALL],
  [/\b(?:wasRead|doubtful|hesitating)\b|\bfunction (?:heard|answered)\b/u, "onSnapshot, onCommitUnknown", ALL],
  [/\bnamesakes?\b|\bMatters?\b|\bodds\b/u, "duplicateNodeHeartbeats, Condition, ttlMismatch", ALL],
  [/\bchang(?:es?|ed|ing) (?:of )?hands\b/iu, "ownership change", ALL],
  [/\b(?:stand|hear|settle)\(/u, "updateCandidacy, onHostEvent, finishAdoption", NODE],
  [/\bfence\.hold\(/iu, "open, openAddresses", CODE],
  [/\bmend(?:s|ed|ing)?\b/iu, "fix", ALL],
  [/\blooksOnly\b|\bmode: "look"/u, "readOnly", ALL],
  [
    /\b(?:open)?ears?(?:For|Of)?\b|\bharmless\b|\btellRemarks\b|\bassure\w*|\bfunction within\b/iu,
    "ProbeSocket, withTimeout, escapeControl",
    ALL,
  ],
  // A name that means two things means none: each of these says what of.
  [/\b(?:interface|type|class) (?:Place|Standing|Seen|Source|Feed)\b/u, "AddressPlace, EligibilitySource, ...", CODE],
];

test.each(GIVEN_UP)("%s is not in use: %s", (old, _now, where) => {
  const tracked = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
  });
  const files = tracked.split("\0").filter((name) => where.test(name) && !NOT_OURS.test(name) && existsSync(name));
  expect(files.length).toBeGreaterThan(5);
  // Line 0 is the file's name.
  const found = files.flatMap((name) =>
    [name, ...readFileSync(name, "utf8").split("\n")].flatMap((line, i) =>
      old.test(line) ? [`${name}:${i}: ${line.trim().slice(0, 100)}`] : [],
    ),
  );
  expect(found).toEqual([]);
});

/** For each row what it must find, and what it must leave alone. */
const SAMPLES: readonly (readonly [found: readonly string[], left: readonly string[]])[] = [
  [["const readModules = 1"], ["ProtectKernelModules=yes"]],
  [
    ["a beat", "BEATS_PER_SECOND", "lastBeatAt", "beats.ts"],
    ["a heartbeat", "lastHeartbeatAgeMs", "HEARTBEATS", "off the beaten track"],
  ],
  [["Rhythm", "vrrp-rhythm.test.ts"], ["algorithm"]],
  [
    ["{ life }", "private lives = 0", "readonly life: string"],
    ["a sign of life, and", "lifetimeMs", "it lives."],
  ],
  [["of an earlier life", "one life of a claim"], ["a sign of life"]],
  [["timeline"], ["in time, line by line"]],
  [["modesty"], []],
  [["unfit"], ["fitness"]],
  [
    ["its heir", "heirlooms", "inherited"],
    ["their", 'stdio: "inherit"'],
  ],
  [["sureUpTo", "state.informed"], ["uninformed"]],
  [["unsettled"], ["settled"]],
  [
    ["attempt.gives", "readonly pure: boolean"],
    ["gives", "impure"],
  ],
  [
    ["interface Part ", "class Pack {"],
    ["interface Parts", "npm pack"],
  ],
  [["{ objections }", "nobody objects", "objects to it"], ["every object has"]],
  [["wasRead", "function heard(", "hesitating"], ["was heard"]],
  [["namesakes", "type Matter", "at odds"], ["does not matter"]],
  [["a change of hands", "changed hands"], ["hands over"]],
  [["  settle(", "hear("], ["settled("]],
  [["this.fence.hold(addresses)"], ["fence.open("]],
  [["to mend it"], ["recommended"]],
  [["looksOnly"], ["look"]],
  [
    ["class Ear ", "this.#earFor(link)", "harmless", "assureWritable"],
    ["Earlier", "within the limit"],
  ],
  [
    ["interface Place {", "type Seen ="],
    ["interface AddressPlace {", "type Seen2"],
  ],
];

test.each(GIVEN_UP.map(([old, now], i) => [now, old, ...(SAMPLES[i] ?? [[], []])] as const))(
  "the row of %s finds what it looks for, and nothing else",
  (_now, old, found, left) => {
    expect(found.length).toBeGreaterThan(0);
    expect(found.filter((line) => !old.test(line))).toEqual([]);
    expect(left.filter((line) => old.test(line))).toEqual([]);
  },
);

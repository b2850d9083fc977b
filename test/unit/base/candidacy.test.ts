// Whether two candidacies say the same: a change that is missed is never written to the store.

import { expect, test } from "vitest";
import { type Candidacy, sameCandidacy } from "../../../src/base/candidacy.ts";
import { reason } from "../../../src/base/reasons.ts";

function candidacy(changes: Partial<Candidacy> = {}): Candidacy {
  return {
    priority: 100,
    ineligible: reason("check-failed", "http"),
    lastResort: false,
    preempt: true,
    preemptDelayMs: 1_000,
    minHoldMs: 0,
    spread: null,
    addresses: ["10.0.0.1/24", "fd00::1/64"],
    macs: ["00:00:5e:00:01:33"],
    interface: "eth0",
    ...changes,
  };
}

test("two candidacies with equal parts are the same", () => {
  expect(sameCandidacy(candidacy(), candidacy())).toBe(true);
  expect(sameCandidacy(candidacy({ ineligible: null }), candidacy({ ineligible: null }))).toBe(true);
});

/** One change of each part; the compiler asks for another one when a candidacy gets another part. */
const OTHERS: { readonly [Part in keyof Candidacy]: readonly Candidacy[Part][] } = {
  priority: [99, 101],
  ineligible: [null, reason("check-failed", "ping"), { ...reason("check-failed", "http"), code: "ineligible" }],
  lastResort: [true],
  preempt: [false],
  preemptDelayMs: [0],
  minHoldMs: [1],
  spread: ["group"],
  addresses: [[], ["10.0.0.1/24"], ["fd00::1/64", "10.0.0.1/24"], ["10.0.0.1/24", "fd00::2/64"]],
  macs: [[], ["00:00:5e:00:01:34"], ["00:00:5e:00:01:33", "00:00:5e:00:02:33"]],
  interface: [null, "eth1"],
};

test.each(Object.entries(OTHERS))("candidacies that differ in %s are not the same", (part, values) => {
  for (const value of values) {
    const other = candidacy({ [part]: value });
    expect(sameCandidacy(candidacy(), other)).toBe(false);
    expect(sameCandidacy(other, candidacy())).toBe(false);
  }
});

// The conformance suite: what every adapter must do before the election may rest on it. A harness tells what a store
// can be made to suffer; the tests that need more than it offers are skipped by name, never silently passed.

import { afterEach, beforeEach, describe } from "vitest";
import { describeCommits } from "./commits.ts";
import { describeContention } from "./contention.ts";
import type { Harness } from "./harness.ts";
import { describeLimits } from "./limits.ts";
import { describeReads } from "./reads.ts";
import { describeTimeline } from "./epoch.ts";
import { describeWatches } from "./watches.ts";

/** Runs the suite; `begin` makes a new, empty store for each test. `traits` says what its harness offers. */
export function storeConformance(name: string, traits: Traits, begin: () => Promise<Harness>): void {
  describe(`the ${name} store`, () => {
    let harness: Harness | undefined;
    const current = (): Harness => {
      if (harness === undefined) throw new Error("no harness has begun");
      return harness;
    };
    beforeEach(async () => {
      harness = await begin();
    });
    afterEach(async () => {
      await harness?.cleanUp();
      harness = undefined;
    });
    describeReads(current);
    describeCommits(current);
    describeTimeline(current, traits);
    describeWatches(current);
    describeLimits(current, traits);
    describeContention(current, traits);
  });
}

/** What a store's harness offers, known before a store has begun. */
export interface Traits {
  /** Other processes reach the data. */
  readonly processes: boolean;
  readonly block: boolean;
  readonly outage: boolean;
  /** Whether a restart of the service goes on in its epoch; a store that may lose data by it begins a new one. */
  readonly restartKeepsEpoch: boolean;
  /** Whether a restart of the service finds the data again. */
  readonly restartKeepsData: boolean;
  /** The names of `Harness.losses`. */
  readonly losses: readonly string[];
}

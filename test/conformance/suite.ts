// The conformance suite: what every adapter must do before the election may rest on it. A harness tells what a store
// can be made to suffer; its traits say in advance what that is.

import { afterEach, beforeEach, describe } from "vitest";
import { describeBounds } from "./bounds.ts";
import { describeCommits } from "./commits.ts";
import { describeContention } from "./contention.ts";
import type { Harness } from "./harness.ts";
import { describeEpochs } from "./epoch.ts";
import { describeLimits } from "./limits.ts";
import { describeReads } from "./reads.ts";
import { describeScale } from "./scale.ts";
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
    describeEpochs(current, traits);
    describeWatches(current);
    describeBounds(current);
    describeScale(current);
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
  /** Those of them during which a commit can be kept on its way (`Harness.openDelayed`). */
  readonly delayedLosses: readonly string[];
}

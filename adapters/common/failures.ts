// Failures that every store has, in the same words.

import { VipdError } from "../../src/base/errors.ts";

/** The failure of a commit that was meant for an epoch that is over. */
export function newEpochBegan(store: string): VipdError {
  return new VipdError("store-unavailable", `${store}: a new epoch of the store began before the commit was applied`);
}

/** The failure of a commit to a store that was opened for reading only. */
export function openedForReading(store: string): VipdError {
  return new VipdError("store-unavailable", `${store}: it was opened for reading only`);
}

/** The failure of a read of a store that no daemon has used yet, and that was opened for reading only. */
export function unusedStore(message: string): VipdError {
  return new VipdError("store-unavailable", message, { unused: true });
}

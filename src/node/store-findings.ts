// What a store's servers say of themselves, told in the log: once, when the store has first answered.

import { messageOf } from "../base/errors.ts";
import type { Logger } from "../ports/logger.ts";
import type { Store } from "../ports/store.ts";

/** The servers have this long to tell, in milliseconds. */
const EXAMINE_MS = 5_000;

/** Examines the store as soon as `isReady`, which is asked at each change, and warns of what asks for somebody's help. */
export function logStoreFindings(
  store: Store,
  log: Logger,
  isReady: () => boolean,
  onChange: (listener: () => void) => void,
): void {
  let asked = false;
  const look = (): void => {
    if (asked || !isReady()) return;
    asked = true;
    void examine(store, log);
  };
  onChange(look);
  look();
}

async function examine(store: Store, log: Logger): Promise<void> {
  try {
    for (const { text, fix } of (await store.examine?.({ timeoutMs: EXAMINE_MS })) ?? [])
      if (fix === null) log.debug({}, `the store: ${text}`);
      else log.warn({ fix }, `the store: ${text}`);
  } catch (error) {
    log.warn({}, `the store could not be examined: ${messageOf(error)}`);
  }
}

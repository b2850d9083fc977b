// What a recorder asks of the kernel, and may be refused.

import { isVipdError } from "../../../src/base/errors.ts";

/** What the kernel refuses is no failure here: a VIP that nobody answers for makes it refuse, and the gap shows that. */
export function quietly<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (!isVipdError(error, "kernel") && !isVipdError(error, "privilege")) throw error;
    return undefined;
  }
}

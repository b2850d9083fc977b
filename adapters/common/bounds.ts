// The bounds of what a store may bring: somebody else may have written to it, and more than any vipd ever would.

import { MAX_READ_BYTES, MAX_RECORDS, MAX_VALUE_BYTES } from "../../src/base/bounds.ts";
import { VipdError } from "../../src/base/errors.ts";

/** Why a watch ends that would have to bring too much at once. */
export const TOO_MUCH_AT_ONCE = "too many changes at once";

/** A value as it may be passed on: one that is too long is left out. `bytes`: its length. */
export function boundedValue(bytes: number, read: () => string): string {
  return bytes > MAX_VALUE_BYTES ? "" : read();
}

/** The failure of a read that would bring too much. */
export function tooMuchToRead(store: string, prefix: string): VipdError {
  return new VipdError(
    "store-corrupt",
    `${store}: more than ${MAX_RECORDS} records or ${MAX_READ_BYTES / 2 ** 20} MiB under "${prefix}": remove what is not vipd's`,
    { prefix },
  );
}

/** What is left of a read's bounds. */
export class ReadBudget {
  private records = MAX_RECORDS;
  private bytes = MAX_READ_BYTES;

  /** Takes a record's part, its key and value in bytes; false when it is too much. */
  take(bytes: number): boolean {
    this.records -= 1;
    this.bytes -= bytes;
    return this.records >= 0 && this.bytes >= 0;
  }
}

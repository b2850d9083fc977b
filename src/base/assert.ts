// Assertions are for bugs, values for failures: an assertion that fails ends the process.

/** Thrown when the program's own reasoning is wrong; never for bad input. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** States what must hold here. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionError(`broken assumption: ${what}`);
}

/** Marks the branch that no value reaches; the compiler checks that it is so. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value: ${JSON.stringify(value)}`);
}

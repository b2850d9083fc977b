// How the values of options are read by both programs: what cannot be right is told at once, with what would be.

import { InvalidArgumentError } from "commander";
import { isName, NAME_RULE } from "../base/names.ts";

/** Reads the value of an option that cannot be empty. */
export function given(value: string): string {
  if (value === "") throw new InvalidArgumentError("It is empty: give a value, or leave the option out.");
  return value;
}

/** Reads a name of a fleet or a node. */
export function nameGiven(value: string): string {
  if (!isName(value)) throw new InvalidArgumentError(`Use ${NAME_RULE}.`);
  return value;
}

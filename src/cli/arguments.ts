// How the values of options are read by both programs: what cannot be right is told at once, with what would be.

import { InvalidArgumentError } from "commander";
import { interfaceName } from "../config/address.ts";
import { isName, NAME_RULE } from "../base/names.ts";

/** Reads the value of an option that cannot be empty. */
export function given(value: string): string {
  if (value === "") throw new InvalidArgumentError("It is empty: give a value, or leave the option out.");
  return value;
}

/** Reads a name of a network interface. */
export function interfaceGiven(value: string): string {
  if (!interfaceName.safeParse(value).success)
    throw new InvalidArgumentError("It must be the name of a network interface, such as eth0.");
  return value;
}

/** Reads a name of a fleet or a node. */
export function nameGiven(value: string): string {
  if (!isName(value)) throw new InvalidArgumentError(`Use ${NAME_RULE}.`);
  return value;
}

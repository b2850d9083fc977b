// The version that this program is of.

import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { assert } from "../base/assert.ts";

/** The version in the package's own package.json. */
export function readVersion(): string {
  const file = findPackageJSON(import.meta.url);
  assert(file !== undefined, "the program lies in its package");
  const { version } = JSON.parse(readFileSync(file, "utf8")) as { version: string };
  return version;
}

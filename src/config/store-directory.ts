// A store that is a file of this host: vipd makes the file at its start, and the directory it is in, but no path of
// directories, so that a path with a slip in it does not become a tree.

import { isVipdError } from "../base/errors.ts";
import { storeScheme } from "../base/store-url.ts";
import type { KnownStore } from "./cross-checks.ts";
import type { Mistake } from "./issue.ts";
import { valueAt } from "./mistakes.ts";
import { DEFAULT_STATE_DIR } from "../base/paths.ts";

/** That the file's directory neither is there nor can be made; `exists` looks at the host. */
export function storeDirectoryMistakes(
  data: unknown,
  stores: readonly KnownStore[],
  exists: ((path: string) => boolean) | undefined,
): readonly Mistake[] {
  const url = valueAt(data, ["store"]);
  const file = typeof url === "string" ? localFile(url, stores) : null;
  if (exists === undefined || file === null) return [];
  const directory = parentOf(file);
  const above = parentOf(directory);
  const stateDir = valueAt(data, ["stateDir"]) ?? DEFAULT_STATE_DIR;
  // The state directory is made first, with all that is above it.
  const isMade = typeof stateDir === "string" && `${stateDir}/`.startsWith(`${above}/`);
  if (exists(directory) || exists(above) || isMade) return [];
  const problem = `there is no directory ${above}, in which ${directory} could be made`;
  return [{ path: ["store"], problem, fix: `correct the path, or run: mkdir -p ${above}` }];
}

/** A URL that is wrong is a mistake of its own. */
function localFile(url: string, stores: readonly KnownStore[]): string | null {
  const scheme = storeScheme(url);
  const store = stores.find(({ schemes }) => scheme !== undefined && schemes.includes(scheme));
  try {
    return store?.localFile(url) ?? null;
  } catch (error) {
    if (isVipdError(error, "store-url")) return null;
    throw error;
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf("/")));
}

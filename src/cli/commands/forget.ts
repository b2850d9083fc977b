// vipctl forget: what a node left in the store that is gone for good, its session and its candidacies, is removed.

import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { VipctlDeps } from "../deps.ts";
import { escapeControl, toJson } from "../render/text.ts";
import { openStoreToWrite, type WhereOptions } from "../source.ts";

/** The options of forget. */
export interface ForgetOptions extends WhereOptions {
  readonly json?: true;
}

/** Straight to the store; exit code 1 when the node is alive, 2 when the store has nothing of it. */
export async function forget(node: string, options: ForgetOptions, deps: VipctlDeps): Promise<ExitCode> {
  const fleet = await openStoreToWrite(options, deps);
  try {
    const found = await fleet.forget(node, deps.signal);
    if (options.json === true) deps.out.write(`${toJson({ node, ...found })}\n`);
    if (found.kind === "unknown") {
      deps.err.write(`${escapeControl(`the store has nothing of a node ${node}: vipctl status names all`)}\n`);
      return EXIT.usage;
    }
    if (found.kind === "alive") {
      deps.err.write(`${escapeControl(`${node} is alive: stop its vipd first`)}\n`);
      return EXIT.no;
    }
    const candidacies = found.candidacies === 1 ? "1 candidacy" : `${found.candidacies} candidacies`;
    if (options.json !== true)
      deps.out.write(
        `${escapeControl(`${node} is forgotten, with ${candidacies}; it joins anew when it starts again`)}\n`,
      );
    return EXIT.ok;
  } finally {
    await fleet.close();
  }
}

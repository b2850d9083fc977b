// vipctl history: the last ownership changes of a VIP, newest first.

import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findElection, notFound } from "../find.ts";
import type { VipctlDeps } from "../deps.ts";
import { formatTable, escapeControl, styleFor, toJson } from "../render/text.ts";
import { formatMoment } from "../render/time.ts";
import { openSource, tellDetour, type WhereOptions } from "../source.ts";

/** The options of history. */
export interface HistoryOptions extends WhereOptions {
  readonly json?: true;
}

/** Shows the history that the store keeps. */
export async function history(what: string, options: HistoryOptions, deps: VipctlDeps): Promise<ExitCode> {
  const source = await openSource(options, deps);
  try {
    tellDetour(source, deps);
    const view = await source.reader.read(deps.signal);
    const election = findElection(view, what);
    if (election === undefined) {
      deps.err.write(`${escapeControl(notFound(view, what))}\n`);
      return view.store.ok ? EXIT.usage : EXIT.store;
    }
    const changes = await source.reader.history(election.name, deps.signal);
    if (options.json === true) deps.out.write(`${toJson(changes)}\n`);
    else {
      const style = styleFor(deps.out, deps.env);
      const rows = changes.map(({ atWallMs, node, reason }) => [
        { text: formatMoment(atWallMs) },
        node === null ? { text: "free", style: style.warn } : { text: node, style: style.good },
        { text: reason },
      ]);
      const heading = ["AT", "HOLDER", "WHY"].map((text) => ({ text, style: style.dim }));
      deps.out.write(`${formatTable([heading, ...rows])}\n`);
    }
    return EXIT.ok;
  } finally {
    await source.reader.close();
  }
}

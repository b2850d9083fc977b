// vipctl history: the last changes of hands of a VIP, newest first.

import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findElection, notFound } from "../find.ts";
import type { VipctlModules } from "../modules.ts";
import { formatTable, harmless, styleFor, toJson } from "../render/text.ts";
import { formatMoment } from "../render/time.ts";
import { openSource, tellDetour, type WhereOptions } from "../source.ts";

/** The options of history. */
export interface HistoryOptions extends WhereOptions {
  readonly json?: true;
}

/** Shows the history that the store keeps. */
export async function history(what: string, options: HistoryOptions, modules: VipctlModules): Promise<ExitCode> {
  const source = await openSource(options, modules);
  try {
    tellDetour(source, modules);
    const view = await source.reader.read(modules.signal);
    const election = findElection(view, what);
    if (election === undefined) {
      modules.err.write(`${harmless(notFound(view, what))}\n`);
      return view.store.ok ? EXIT.usage : EXIT.store;
    }
    const changes = await source.reader.history(election.name, modules.signal);
    if (options.json === true) modules.out.write(`${toJson(changes)}\n`);
    else {
      const style = styleFor(modules.out, modules.env);
      const rows = changes.map(({ atWallMs, node, reason }) => [
        { text: formatMoment(atWallMs) },
        node === null ? { text: "free", style: style.warn } : { text: node, style: style.good },
        { text: reason },
      ]);
      const heading = ["AT", "HOLDER", "WHY"].map((text) => ({ text, style: style.dim }));
      modules.out.write(`${formatTable([heading, ...rows])}\n`);
    }
    return EXIT.ok;
  } finally {
    await source.reader.close();
  }
}

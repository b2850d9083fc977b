// vipctl repair: an election whose record in the store cannot be read is shown, and on request reset.

import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findElection, notFound } from "../find.ts";
import type { VipctlDeps } from "../deps.ts";
import { escapeControl, toJson } from "../render/text.ts";
import { openStoreToWrite, type WhereOptions } from "../source.ts";

/** The options of repair. */
export interface RepairCommandOptions extends WhereOptions {
  readonly yes?: true;
  readonly force?: true;
  readonly json?: true;
}

/** Straight to the store: exit code 0 when nothing is (any longer) broken, 1 when it is, or stays so. */
export async function repair(what: string, options: RepairCommandOptions, deps: VipctlDeps): Promise<ExitCode> {
  const fleet = await openStoreToWrite(options, deps);
  try {
    const view = await fleet.read(deps.signal);
    const election = findElection(view, what);
    if (election === undefined) {
      deps.err.write(`${escapeControl(notFound(view, what))}\n`);
      return EXIT.usage;
    }
    const { name } = election;
    const how = { apply: options.yes === true, force: options.force === true };
    const { kind, lines, done } = await fleet.repair(name, how, deps.signal);
    const last = done
      ? [`done: ${name} was reset`]
      : kind === "broken"
        ? [`nothing was changed: vipctl repair ${name} --yes does it`]
        : [];
    deps.out.write(
      options.json === true
        ? `${toJson({ election: name, kind, done, lines })}\n`
        : `${[...lines, ...last].map(escapeControl).join("\n")}\n`,
    );
    return kind === "sound" || done ? EXIT.ok : EXIT.no;
  } finally {
    await fleet.close();
  }
}

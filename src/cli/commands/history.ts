// vipctl history: the last ownership changes of a VIP, newest first.

import type { FleetView, HistoryView, LossView } from "../../admin/views.ts";
import { isVipdError, messageOf, VipdError } from "../../base/errors.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findElection, notFound } from "../find.ts";
import type { VipctlDeps } from "../deps.ts";
import { type Cell, escapeControl, formatTable, type Style, styleFor, toJson } from "../render/text.ts";
import { formatMoment, formatSpan } from "../render/time.ts";
import { type FleetSource, openSource, tellDetour, type WhereOptions } from "../source.ts";

/** The options of history. */
export interface HistoryOptions extends WhereOptions {
  readonly json?: true;
  /** So many changes at most. */
  readonly limit?: number;
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
    const changes = (await changesOf(election.name, source, view, deps)).slice(0, options.limit);
    if (options.json === true) deps.out.write(`${toJson(changes)}\n`);
    else {
      const style = styleFor(deps.out, deps.env);
      const rows = changes.flatMap((change) => historyRows(change, style));
      const heading = ["AT", "FROM", "TO", "TOKEN", "HELD FOR", "FREE FOR", "WHY"];
      deps.out.write(`${formatTable([heading.map((text) => ({ text, style: style.dim })), ...rows])}\n`);
    }
    return EXIT.ok;
  } finally {
    await source.reader.close();
  }
}

/** Throws "store-unavailable" where a daemon cannot reach the store, in which the history lies. */
async function changesOf(
  election: string,
  { reader }: FleetSource,
  { store }: FleetView,
  { signal }: VipctlDeps,
): Promise<readonly HistoryView[]> {
  try {
    return await reader.history(election, signal);
  } catch (error) {
    if (store.ok || isVipdError(error, "aborted")) throw error;
    const text = `the history lies in the store, which cannot be reached: ${store.lastError ?? messageOf(error)}`;
    throw new VipdError("store-unavailable", `${text}; the log of this host tells what it held`, {}, error);
  }
}

/** One line for the change, and one more for each loss that a holder has reported: before it, and since. */
function historyRows(change: HistoryView, style: Style): readonly (readonly Cell[])[] {
  const { atWallMs, from, to, token, reason, lastedMs, vacantMs, loss, interruption } = change;
  const row: readonly Cell[] = [
    { text: formatMoment(atWallMs) },
    { text: from ?? "-" },
    to === null ? { text: "free", style: style.warn } : { text: to, style: style.good },
    { text: token },
    { text: from === null || lastedMs === null ? "-" : formatSpan(lastedMs) },
    { text: vacantMs === null ? "-" : formatSpan(vacantMs) },
    { text: reason },
  ];
  return [...reported(to, interruption), row, ...reported(from, loss)];
}

/** How long nobody held it where the same node held it again, and how often that has been. */
function interruptionsOf({ heldAgainAfterMs, interruptions, interruptedMs }: LossView): string {
  const again =
    heldAgainAfterMs === null ? "" : `; nobody held it for ${formatSpan(heldAgainAfterMs)}, then it did again`;
  const before = heldAgainAfterMs === null ? interruptions : interruptions - 1;
  if (before < 1) return again;
  const times = before === 1 ? "once" : `${before} times`;
  return `${again}; nobody held it ${times} before that, for ${formatSpan(interruptedMs - (heldAgainAfterMs ?? 0))} in all`;
}

function reported(holder: string | null, loss: HistoryView["loss"]): readonly (readonly Cell[])[] {
  if (loss === null) return [];
  const told = `${holder ?? ""} reported at ${formatMoment(loss.atWallMs)}: ${loss.reason}${interruptionsOf(loss)}`;
  return [[...Array.from({ length: 6 }, () => ({ text: "" })), { text: told }]];
}

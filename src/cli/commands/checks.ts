// vipctl checks: what this host looks at, what it found last, and what it printed.

import type { CheckView } from "../../admin/check-view.ts";
import type { StatusView } from "../../admin/views.ts";
import type { VipctlDeps } from "../deps.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { type Cell, escapeControl, formatTable, type Style, styleFor, toJson } from "../render/text.ts";
import { formatSpan } from "../render/time.ts";
import { openDaemon, type WhereOptions } from "../source.ts";

/** The options of checks. */
export interface ChecksOptions extends WhereOptions {
  readonly json?: true;
  readonly watch?: true;
}

/** A daemon that has not answered by then is taken for silent, in milliseconds. */
const DAEMON_MS = 2_000;

const CLEAR = "\u001b[H\u001b[2J";

/** Shows the checks of the daemon of this host; exit code 1 when one has failed. */
export async function checks(options: ChecksOptions, deps: VipctlDeps): Promise<ExitCode> {
  const daemon = await openDaemon(options, deps);
  const limits = { timeoutMs: DAEMON_MS, signal: deps.signal };
  if (options.watch !== true) return show(await daemon.status(limits), options, deps);
  for await (const view of daemon.watch(limits)) {
    if (options.json !== true && deps.out.isTerminal) deps.out.write(CLEAR);
    show(view, options, deps);
  }
  return deps.signal.aborted ? EXIT.interrupted : EXIT.unavailable;
}

function show({ checks: all }: StatusView, options: ChecksOptions, deps: VipctlDeps): ExitCode {
  const text = options.json === true ? toJson({ checks: all }) : describeChecks(all, styleFor(deps.out, deps.env));
  deps.out.write(`${text}\n`);
  return all.some(({ verdict }) => verdict === "failed") ? EXIT.no : EXIT.ok;
}

function describeChecks(all: readonly CheckView[], style: Style): string {
  if (all.length === 0) return "this node checks nothing";
  const heading = ["CHECK", "STATE", "FOR", "LAST LOOK", "FOUND", "PRINTED", "VIPS"].map((text): Cell => ({
    text,
    style: style.dim,
  }));
  return formatTable([heading, ...all.map((check) => row(check, style))]);
}

function row({ name, verdict, sinceMs, last, recovery, vips }: CheckView, style: Style): readonly Cell[] {
  const styles = { ok: style.good, failed: style.bad, pending: style.dim };
  const state: Cell =
    recovery === null ? { text: verdict, style: styles[verdict] } : { text: `recovery ${recovery}`, style: style.warn };
  return [
    { text: escapeControl(name), style: style.bold },
    state,
    { text: formatSpan(sinceMs) },
    { text: last === null ? "" : `${formatSpan(last.agoMs)} ago, took ${formatSpan(last.tookMs)}` },
    { text: escapeControl(last?.reason ?? "") },
    { text: escapeControl(last?.lastLine ?? "") },
    { text: vips.map(escapeControl).join(" ") },
  ];
}

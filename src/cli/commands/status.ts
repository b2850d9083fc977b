// vipctl status: all VIPs of the fleet, its nodes, its store, and what asks for somebody's help.

import type { ElectionView, FleetView, NodeView } from "../../admin/views.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { VipctlDeps } from "../deps.ts";
import { type Cell, formatTable, escapeControl, type Style, styleFor, toJson } from "../render/text.ts";
import { formatSpan } from "../render/time.ts";
import { isStatus, openSource, tellDetour, type WhereOptions } from "../source.ts";

/** The options of status. */
export interface StatusOptions extends WhereOptions {
  readonly json?: true;
  readonly watch?: true;
}

const CLEAR = "\u001b[H\u001b[2J";

/** Shows the fleet; exit code 3 when the store cannot be reached. */
export async function status(options: StatusOptions, deps: VipctlDeps): Promise<ExitCode> {
  const source = await openSource(options, deps);
  try {
    tellDetour(source, deps);
    if (options.watch !== true) return show(await source.reader.read(deps.signal), options, deps);
    for await (const view of source.reader.watch(deps.signal)) {
      if (options.json !== true && deps.out.isTerminal) deps.out.write(CLEAR);
      show(view, options, deps);
    }
    return deps.signal.aborted ? EXIT.interrupted : EXIT.store;
  } finally {
    await source.reader.close();
  }
}

function show(view: FleetView, options: StatusOptions, deps: VipctlDeps): ExitCode {
  const text =
    options.json === true ? toJson(view) : describeFleet(view, styleFor(deps.out, deps.env), deps.timers.wallMs());
  deps.out.write(`${text}\n`);
  return view.store.ok ? EXIT.ok : EXIT.store;
}

/** The fleet for people. */
export function describeFleet(view: FleetView, style: Style, wallMs: number): string {
  const elections = view.elections.map((election) => electionRow(election, style, wallMs));
  const nodes = view.nodes.map((node) => nodeRow(node, view, style));
  const parts = [
    headLines(view, style).join("\n"),
    elections.length === 0
      ? "no VIPs yet"
      : formatTable([
          heading(["VIP", "ADDRESSES", "HOLDER (MASTER)", "FOR", "TOKEN", "CANDIDATES (BACKUP)"], style),
          ...elections,
        ]),
    nodes.length === 0
      ? "no nodes yet"
      : formatTable([heading(["NODE", "HOST", "SESSION", "LAST HEARTBEAT", "LEASE", "PART"], style), ...nodes]),
    view.warnings.map((warning) => style.warn(`! ${escapeControl(warning)}`)).join("\n"),
    caveatLines(view, style).join("\n"),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function headLines(view: FleetView, style: Style): readonly string[] {
  const { store } = view;
  const state = store.ok
    ? style.good("reachable")
    : style.bad(`not reachable: ${escapeControl(store.lastError ?? "no reason known")}`);
  const fleet = `fleet ${style.bold(escapeControl(view.fleet))}`;
  const lines = [
    store.url === "" ? `${fleet}, no store: VRRP` : `${fleet}, store ${escapeControl(store.url)}, ${state}`,
  ];
  if (isStatus(view))
    lines.push(
      style.dim(
        `seen by ${escapeControl(view.node)}, vipd ${escapeControl(view.version)}, ${view.fence.kind} fence${view.fence.flushProof ? " that outlives a flush" : ""}`,
      ),
    );
  return lines;
}

/** What the store, as it runs, cannot promise: last, for it is the same every day. */
function caveatLines({ store }: FleetView, style: Style): readonly string[] {
  const { name, caveats } = store.guarantees;
  return caveats.map((caveat) => style.dim(`${escapeControl(name)}: ${escapeControl(caveat)}`));
}

function heading(names: readonly string[], style: Style): readonly Cell[] {
  return names.map((text) => ({ text, style: style.dim }));
}

function electionRow(election: ElectionView, style: Style, wallMs: number): readonly Cell[] {
  const { holder, holderAlive, conflict } = election;
  const others = election.candidates.filter(({ node }) => node !== holder);
  const candidates = others.map(
    ({ node, priority, eligible, alive, reason }) => `${node} ${priority}${mark(eligible, alive, reason)}`,
  );
  const held: Cell =
    holder === null
      ? { text: "free", style: style.warn }
      : { text: holderAlive === true ? holder : `${holder}?`, style: holderAlive === true ? style.good : style.warn };
  return [
    { text: election.name, style: style.bold },
    { text: election.addresses.join(" ") },
    conflict === null ? held : { text: `${held.text} !`, style: style.bad },
    { text: election.sinceWallMs === null ? "" : formatSpan(wallMs - election.sinceWallMs) },
    { text: election.token ?? "" },
    { text: candidates.join(", ") },
  ];
}

function mark(eligible: boolean, alive: boolean, reason: string | null): string {
  if (!alive) return " (gone)";
  return eligible ? "" : ` (${reason ?? "not eligible"})`;
}

function nodeRow(node: NodeView, view: FleetView, style: Style): readonly Cell[] {
  const held = view.elections.filter(({ holder }) => holder === node.node).length;
  const wanted = view.elections.filter(({ candidates }) =>
    candidates.some((candidate) => candidate.node === node.node),
  ).length;
  return [
    { text: node.node, style: style.bold },
    { text: node.host },
    node.alive ? { text: "alive", style: style.good } : { text: "silent", style: style.warn },
    { text: node.lastHeartbeatAgeMs === null ? "?" : `${formatSpan(node.lastHeartbeatAgeMs)} ago` },
    { text: node.ttlMs === null ? "" : formatSpan(node.ttlMs) },
    { text: `MASTER of ${held}, BACKUP of ${Math.max(0, wanted - held)}` },
  ];
}

// vipctl status: all VIPs of the fleet, its nodes, its store, and what asks for somebody's help.

import type {
  ElectionView,
  FleetView,
  IneligibleReasonView,
  NodeView,
  RoutingView,
  StatusView,
} from "../../admin/views.ts";
import { VRRP_CAVEAT } from "../../base/vrrp.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { VipctlDeps } from "../deps.ts";
import { type Cell, formatTable, escapeControl, type Style, styleFor, toJson } from "../render/text.ts";
import { checkLines } from "../render/checks.ts";
import { describeRealServer } from "../render/real-servers.ts";
import { formatSpan } from "../render/time.ts";
import { isReleasedHere, isStatus, openSource, tellDetour, type WhereOptions } from "../source.ts";

/** The options of status. */
export interface StatusOptions extends WhereOptions {
  readonly json?: true;
  readonly watch?: true;
  readonly verbose?: true;
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
    options.json === true
      ? toJson(view)
      : describeFleet(view, styleFor(deps.out, deps.env), deps.timers.wallMs(), options.verbose === true);
  deps.out.write(`${text}\n`);
  return view.store.ok ? EXIT.ok : EXIT.store;
}

/** The fleet for people. */
export function describeFleet(view: FleetView, style: Style, wallMs: number, verbose: boolean): string {
  const elections = view.elections.map((election) => electionRow(election, view, style, wallMs));
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
    isStatus(view) ? checkLines(view, style).join("\n") : "",
    isStatus(view) ? realServerLines(view, style).join("\n") : "",
    deviceLines(view.elections, style).join("\n"),
    routingLines(view.elections, style, verbose).join("\n"),
    ineligibleLines(view.elections, style).join("\n"),
    view.warnings.map((warning) => style.warn(`! ${escapeControl(warning)}`)).join("\n"),
    vrrpLine(view.elections, style),
    verbose ? caveatLines(view, style).join("\n") : "",
    isStatus(view) ? wakeupLine(view, style) : "",
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function realServerLines({ realServers }: StatusView, style: Style): readonly string[] {
  const lines = realServers.slice(0, MAX_LINES).map((server) => describeRealServer(server, style));
  return realServers.length > MAX_LINES ? [...lines, `and ${realServers.length - MAX_LINES} more real servers`] : lines;
}

/** Shown always: whoever knows vipd's leases must not take a VIP of VRRP for one. */
function vrrpLine(elections: readonly ElectionView[], style: Style): string {
  const names = elections.flatMap(({ name, elector }) => (elector?.includes("vrrp") === true ? [name] : []));
  if (names.length === 0) return "";
  const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
  return style.dim(`${escapeControl(names.slice(0, MAX_NAMES).join(", "))}${more}: ${VRRP_CAVEAT}`);
}

function headLines(view: FleetView, style: Style): readonly string[] {
  const { store } = view;
  const state = store.ok
    ? style.good("reachable")
    : style.bad(`not reachable: ${escapeControl(store.lastError ?? "no reason known")}`);
  const fleet = `fleet ${style.bold(escapeControl(view.fleet))}`;
  const lines = [
    store.url === ""
      ? `${fleet}, no store${view.elections.length === 0 ? "" : ": VRRP"}`
      : `${fleet}, store ${escapeControl(store.url)}, ${state}`,
  ];
  if (!isStatus(view)) return lines;
  const electors = [...new Set(view.elections.flatMap(({ elector }) => elector ?? []))].sort();
  const deciding = electors.length === 0 ? "" : `, elector ${escapeControl(electors.join(", "))}`;
  const fence = `${view.fence.kind} fence${view.fence.flushProof ? " that outlives a flush" : ""}`;
  lines.push(
    style.dim(`seen by ${escapeControl(view.node)}, vipd ${escapeControl(view.version)}, ${fence}${deciding}`),
    ...localLines(view, style),
  );
  return lines;
}

/** What is surely true of this host while the store cannot be reached; all else is what the store said last. */
function localLines(view: StatusView, style: Style): readonly string[] {
  if (view.store.ok) return [];
  const held = view.elections.filter(({ role }) => role === "holder").length;
  const own =
    held > 0
      ? `holds ${held === 1 ? "1 VIP" : `${held} VIPs`} for another ${formatSpan(view.session.validForMs)}, unless the store answers before`
      : "holds no VIP";
  return [style.warn(`this host ${own}; of others this is what the store said last`)];
}

/** So many lines of one kind are shown, and so many names in a line. */
const MAX_LINES = 20;
const MAX_NAMES = 8;

/** The virtual MACs of this node: a line for each VIP that has some. */
function deviceLines(elections: readonly ElectionView[], style: Style): readonly string[] {
  const found = elections.filter(({ devices }) => devices.length > 0);
  const lines = found.slice(0, MAX_LINES).map(({ name, role, devices }) => {
    const macs = devices.map((device) => `${device.mac} on ${device.name} (${device.parent})`);
    const state = role === "holder" ? "" : ", down here";
    return style.dim(escapeControl(`${name}: virtual MAC ${macs.slice(0, MAX_NAMES).join(", ")}${state}`));
  });
  return found.length > MAX_LINES ? [...lines, `and ${found.length - MAX_LINES} more VIPs with virtual MACs`] : lines;
}

/** The routes and rules of this node's VIPs: how many of each, and what of those of a held one is not in place. */
function routingLines(elections: readonly ElectionView[], style: Style, verbose: boolean): readonly string[] {
  const found = elections.filter(({ routing }) => routing.length > 0);
  const shown = found.slice(0, MAX_LINES).flatMap(({ name, role, routing }) => {
    const missing = role === "holder" ? routing.filter(({ inPlace }) => !inPlace) : [];
    const all = routing.length === 1 ? "1 route or rule" : `${routing.length} routes and rules`;
    const state = role === "holder" ? "in place" : "set here with the VIP";
    const line =
      missing.length === 0
        ? style.dim(escapeControl(`${name}: ${all}, ${state}`))
        : style.warn(escapeControl(`${name}: ${missing.length} of ${all} not in place: ${textsOf(missing)}`));
    const each = verbose ? routing.map(({ text, inPlace }) => `  ${inPlace ? "+" : "-"} ${escapeControl(text)}`) : [];
    return [line, ...each];
  });
  return found.length > MAX_LINES ? [...shown, `and ${found.length - MAX_LINES} more VIPs with routes`] : shown;
}

function textsOf(routing: readonly RoutingView[]): string {
  const more = routing.length > MAX_NAMES ? ` and ${routing.length - MAX_NAMES} more` : "";
  return `${routing
    .slice(0, MAX_NAMES)
    .map(({ text }) => text)
    .join(", ")}${more}`;
}

/** Why the observing node does not hold VIPs: one line a reason. */
function ineligibleLines(elections: readonly ElectionView[], style: Style): readonly string[] {
  const groups = new Map<
    string,
    { readonly names: string[]; readonly ineligibleReason: IneligibleReasonView; readonly held: string }
  >();
  for (const { name, role, ineligibleReasons } of elections)
    for (const ineligibleReason of ineligibleReasons) {
      const held = role === "holder" ? "held here as a last resort" : "not held here";
      const key = `${held} ${ineligibleReason.source} ${ineligibleReason.reason}`;
      const group = groups.get(key) ?? { names: [], ineligibleReason, held };
      groups.set(key, group);
      group.names.push(name);
    }
  const lines = [...groups.values()].slice(0, MAX_LINES).map(({ names, ineligibleReason, held }) => {
    const more = names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : "";
    const { source, reason, sinceMs, forMs } = ineligibleReason;
    const until = forMs === null ? "" : `, another ${formatSpan(forMs)}`;
    const what = `${held}: ${names.slice(0, MAX_NAMES).join(", ")}${more}`;
    return style.warn(`- ${escapeControl(`${what}: ${reason} (${source}, for ${formatSpan(sinceMs)}${until})`)}`);
  });
  return groups.size > MAX_LINES ? [...lines, `- and ${groups.size - MAX_LINES} more reasons`] : lines;
}

/** Who wants to be woken and when, where the daemon logs at level debug. */
function wakeupLine({ wakeups }: StatusView, style: Style): string {
  if (wakeups.length === 0) return "";
  const shown = wakeups.slice(0, MAX_LINES).map(({ name, inMs }) => `${name} in ${formatSpan(inMs)}`);
  return style.dim(`wakeups: ${escapeControl(shown.join(", "))}`);
}

/** What the store, as it runs, cannot promise: last, for it is the same every day. */
function caveatLines({ store }: FleetView, style: Style): readonly string[] {
  const { name, caveats } = store.guarantees;
  return caveats.map((caveat) => style.dim(`${escapeControl(name)}: ${escapeControl(caveat)}`));
}

function heading(names: readonly string[], style: Style): readonly Cell[] {
  return names.map((text) => ({ text, style: style.dim }));
}

function electionRow(election: ElectionView, view: FleetView, style: Style, wallMs: number): readonly Cell[] {
  const { holder, holderAlive, conflict } = election;
  const others = election.candidates.filter(({ node }) => node !== holder);
  const candidates = others.map(
    ({ node, priority, eligible, alive, reason }) => `${node} ${priority}${mark(eligible, alive, reason)}`,
  );
  const held: Cell =
    holder === null
      ? { text: election.reasonCode === "unreadable" ? "unreadable" : "free", style: style.warn }
      : isReleasedHere(election, view)
        ? { text: `${holder}? (released here)`, style: style.warn }
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

// vipctl step-down: the daemon of this host hands a VIP over, and vipctl waits until another node has it.

import { type AdminClient, adminFailure } from "../../admin/client.ts";
import type { ElectionView, StatusView } from "../../admin/views.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findElection, notFound } from "../find.ts";
import type { VipctlDeps } from "../deps.ts";
import { escapeControl, toJson } from "../render/text.ts";
import { isReleasedHere, openDaemon, type WhereOptions } from "../source.ts";

/** The options of step-down. */
export interface StepDownOptions extends WhereOptions {
  readonly to?: string;
  readonly json?: true;
}

const DAEMON_MS = 2_000;

/** A handover takes milliseconds; after this long without one, something is wrong. */
const HANDOVER_MS = 5_000;

/** Hands over; exit code 1 when the daemon refuses or it does not come about. */
export async function stepDown(what: string, options: StepDownOptions, deps: VipctlDeps): Promise<ExitCode> {
  const client = await openDaemon(options, deps);
  const limits = { timeoutMs: DAEMON_MS, signal: deps.signal };
  const view = await client.status(limits);
  const election = findElection(view, what);
  if (election === undefined) {
    deps.err.write(`${escapeControl(notFound(view, what))}\n`);
    return EXIT.usage;
  }
  if (election.role !== "holder") return refuse(elsewhere(election, view), deps);
  if (options.to === view.node)
    return refuse(`${view.node} holds ${election.name} itself: ${whoElse(election, view)}`, deps);
  try {
    const { accepted, reason } = await client.stepDown({ election: election.name, to: options.to ?? null }, limits);
    if (!accepted) return refuse(options.to === undefined ? reason : `${reason}: ${whoElse(election, view)}`, deps);
  } catch (error) {
    if (adminFailure(error) === "refused" && error instanceof Error) return refuse(error.message, deps);
    throw error;
  }
  const after = await whenMoved(client, election, view.node, deps);
  deps.signal.throwIfAborted();
  if (after === undefined)
    return refuse(
      `${election.name} has not been taken by another node within ${HANDOVER_MS / 1_000}s: look at vipctl status`,
      deps,
    );
  const { name, holder, token } = after;
  deps.out.write(
    options.json === true
      ? `${toJson({ election: name, holder, token })}\n`
      : `${escapeControl(`${name} is held by ${holder ?? ""} now, token ${token ?? "unknown"}`)}\n`,
  );
  return EXIT.ok;
}

function refuse(reason: string, deps: VipctlDeps): ExitCode {
  deps.err.write(`${escapeControl(reason)}\n`);
  return EXIT.no;
}

/** Who could take it instead. */
function whoElse({ candidates }: ElectionView, { node }: StatusView): string {
  const others = candidates.filter((candidate) => candidate.eligible && candidate.node !== node);
  const names = others.map((candidate) => candidate.node);
  return names.length === 0 ? "no other node can take it" : `give one of ${names.join(", ")}`;
}

function elsewhere(election: ElectionView, view: StatusView): string {
  const { name, holder } = election;
  if (!view.store.ok) {
    const more = isReleasedHere(election, view) ? "any more: its lease ended while the store could not be reached" : "";
    const trouble = `(${view.store.lastError ?? "no reason known"})`;
    return `${view.node} does not hold ${name} ${more === "" ? "and cannot reach the store" : more} ${trouble}`;
  }
  if (holder === null) return `nobody holds ${name}`;
  return `${view.node} does not hold ${name}: ${holder} does; run vipctl step-down there`;
}

/** The election once another node holds it; `undefined` when that does not come about in time. */
async function whenMoved(
  client: AdminClient,
  before: ElectionView,
  node: string,
  deps: VipctlDeps,
): Promise<ElectionView | undefined> {
  const enough = AbortSignal.any([deps.signal, AbortSignal.timeout(HANDOVER_MS)]);
  for await (const view of client.watch({ timeoutMs: DAEMON_MS, signal: enough })) {
    const election = findElection(view, before.name);
    if (election !== undefined && election.holder !== null && election.holder !== node) return election;
  }
  return undefined;
}

// vipctl maintenance and vipctl resume: the daemon of this host gives its VIPs up, and takes none, until it is resumed.

import { type AdminClient, adminFailure } from "../../admin/client.ts";
import type { ElectionView, StatusView } from "../../admin/views.ts";
import { clip } from "../../base/text.ts";
import type { VipctlDeps } from "../deps.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findElection, notFound } from "../find.ts";
import { escapeControl, toJson } from "../render/text.ts";
import { openDaemon, type WhereOptions } from "../source.ts";

/** The options of maintenance. */
export interface MaintenanceOptions extends WhereOptions {
  readonly reason?: string;
  readonly force?: true;
  readonly json?: true;
}

/** The options of resume. */
export interface ResumeOptions extends WhereOptions {
  readonly json?: true;
}

const DAEMON_MS = 2_000;

/** A handover takes milliseconds; after this long without one, something is wrong. */
const HANDOVER_MS = 5_000;

/** So many names are told. */
const MAX_NAMES = 8;

/** Begins maintenance, and waits until other nodes hold what this one held; exit code 1 when that does not come about. */
export async function maintenance(
  what: string | undefined,
  options: MaintenanceOptions,
  deps: VipctlDeps,
): Promise<ExitCode> {
  const client = await openDaemon(options, deps);
  const view = await client.status(limitsOf(deps));
  const wanted = chosen(view, what);
  if (wanted === undefined) return unknown(view, what ?? "", deps);
  const held = wanted.filter(({ role }) => role === "holder");
  const stuck = held.filter((election) => !hasSuccessor(election, view.node));
  if (stuck.length > 0 && options.force !== true)
    return refuse(`nobody else can take ${namesOf(stuck)} now; --force gives it up all the same`, deps);
  const vip = what === undefined ? null : (wanted[0]?.name ?? what);
  const reason = clip(options.reason ?? "", MAX_REASON);
  const refused = await ask(client, { on: true, vip, reason }, deps);
  if (refused !== undefined) return refuse(refused, deps);
  const left = await whenGone(client, held, view.node, deps);
  deps.signal.throwIfAborted();
  const unheld = left.filter(({ name }) => !stuck.some((other) => other.name === name));
  const told = `${vip ?? `node ${view.node}`} is in maintenance until vipctl resume${vip === null ? "" : ` ${vip}`}`;
  if (unheld.length > 0)
    return refuse(
      `${told}, but ${namesOf(unheld)} has not been taken by another node within ${HANDOVER_MS / 1_000}s`,
      deps,
    );
  return tell(told, { node: view.node, vip, maintenance: true }, options, deps);
}

/** Ends maintenance. */
export async function resume(what: string | undefined, options: ResumeOptions, deps: VipctlDeps): Promise<ExitCode> {
  const client = await openDaemon(options, deps);
  const view = await client.status(limitsOf(deps));
  // What is not configured any more may still be in maintenance: the daemon knows.
  const vip = what === undefined ? null : (chosen(view, what)?.[0]?.name ?? what);
  const refused = await ask(client, { on: false, vip, reason: "" }, deps);
  if (refused !== undefined) return refuse(refused, deps);
  return tell(
    `${vip ?? `node ${view.node}`} is not in maintenance any more`,
    { node: view.node, vip, maintenance: false },
    options,
    deps,
  );
}

/** Longest reason, in UTF-16 code units. */
const MAX_REASON = 100;

function limitsOf(deps: VipctlDeps): { readonly timeoutMs: number; readonly signal: AbortSignal } {
  return { timeoutMs: DAEMON_MS, signal: deps.signal };
}

/** The elections that are meant: one, or all of the node; `undefined`: there is none of that name. */
function chosen(view: StatusView, what: string | undefined): readonly ElectionView[] | undefined {
  if (what === undefined) return view.elections;
  const election = findElection(view, what);
  return election === undefined ? undefined : [election];
}

function hasSuccessor({ candidates }: ElectionView, node: string): boolean {
  return candidates.some((other) => other.node !== node && other.eligible && other.alive);
}

/** Asks the daemon; the answer says why not, or nothing. */
async function ask(
  client: AdminClient,
  request: Parameters<AdminClient["maintenance"]>[0],
  deps: VipctlDeps,
): Promise<string | undefined> {
  try {
    const { accepted, reason } = await client.maintenance(request, limitsOf(deps));
    return accepted ? undefined : reason;
  } catch (error) {
    if (adminFailure(error) === "refused" && error instanceof Error) return error.message;
    throw error;
  }
}

/** Those of `held` that no other node has taken in time. */
async function whenGone(
  client: AdminClient,
  held: readonly ElectionView[],
  node: string,
  deps: VipctlDeps,
): Promise<readonly ElectionView[]> {
  let left = held;
  if (left.length === 0) return left;
  const enough = AbortSignal.any([deps.signal, AbortSignal.timeout(HANDOVER_MS)]);
  for await (const view of client.watch({ timeoutMs: DAEMON_MS, signal: enough })) {
    left = left.filter(({ name, candidates }) => {
      const now = view.elections.find((other) => other.name === name);
      if (now === undefined || now.role === "holder") return now !== undefined;
      return now.holder === node || (now.holder === null && hasSuccessor({ ...now, candidates }, node));
    });
    if (left.length === 0) return left;
  }
  return left;
}

function namesOf(elections: readonly ElectionView[]): string {
  const more = elections.length > MAX_NAMES ? ` and ${elections.length - MAX_NAMES} more` : "";
  return elections
    .slice(0, MAX_NAMES)
    .map(({ name }) => name)
    .join(", ")
    .concat(more);
}

function unknown(view: StatusView, what: string, deps: VipctlDeps): ExitCode {
  deps.err.write(`${escapeControl(notFound(view, what))}\n`);
  return EXIT.usage;
}

function refuse(reason: string, deps: VipctlDeps): ExitCode {
  deps.err.write(`${escapeControl(reason)}\n`);
  return EXIT.no;
}

function tell(text: string, json: unknown, options: { readonly json?: true }, deps: VipctlDeps): ExitCode {
  deps.out.write(options.json === true ? `${toJson(json)}\n` : `${escapeControl(text)}\n`);
  return EXIT.ok;
}

// vipctl who-owns: who holds a VIP, by the store's word; on request confirmed by a heartbeat, and by the wire.

import type { FleetView } from "../../admin/views.ts";
import { later } from "../../base/time.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { findElection, notFound } from "../find.ts";
import type { VipctlDeps } from "../deps.ts";
import type { Owner } from "../owner.ts";
import { escapeControl, styleFor, toJson } from "../render/text.ts";
import { describeOwner } from "../render/owner.ts";
import { isStatus, openSource, type FleetSource, tellDetour, type WhereOptions } from "../source.ts";
import { verifyOnWire } from "../verify.ts";

/** The options of who-owns. */
export interface WhoOwnsOptions extends WhereOptions {
  readonly json?: true;
  readonly watch?: true;
  readonly confirm?: true;
  readonly verify?: true;
}

/** Waiting for a heartbeat ends this long after the lease, in milliseconds: a heartbeat at its end must still come in. */
const GRACE_MS = 500;

/** Answers, and says by its exit code: 0 held, 1 free or not confirmed, 2 no such VIP, 3 store unreachable, 4 the wire disagrees. */
export async function whoOwns(what: string, options: WhoOwnsOptions, deps: VipctlDeps): Promise<ExitCode> {
  const source = await openSource(options, deps);
  try {
    tellDetour(source, deps);
    if (options.watch === true) return await follow(what, source, options, deps);
    const view = await source.reader.read(deps.signal);
    const election = findElection(view, what);
    if (election === undefined) return missing(view, what, deps);
    const owner = await inquire(
      { view, election, via: source.kind, confirmed: null, formerHolder: null, wire: null },
      source,
      options,
      deps,
    );
    show(owner, options, deps);
    return exitCodeFor(owner);
  } finally {
    await source.reader.close();
  }
}

function missing(view: FleetView, what: string, deps: VipctlDeps): ExitCode {
  if (!view.store.ok) deps.err.write(`${escapeControl(storeFailure(view))}\n`);
  deps.err.write(`${escapeControl(notFound(view, what))}\n`);
  return view.store.ok ? EXIT.usage : EXIT.store;
}

async function inquire(owner: Owner, source: FleetSource, options: WhoOwnsOptions, deps: VipctlDeps): Promise<Owner> {
  const confirmed = options.confirm === true ? await confirm(owner, source, deps) : owner;
  if (options.verify !== true) return confirmed;
  return { ...confirmed, wire: await verifyOnWire(confirmed, deps) };
}

/** Follows the fleet until the holder sends another heartbeat, the VIP moves, or the lease has passed. */
async function confirm(owner: Owner, source: FleetSource, deps: VipctlDeps): Promise<Owner> {
  const { election, view } = owner;
  if (election.holder === null) return { ...owner, confirmed: false };
  // The daemon has heard, or sent, each advert: what it says is as new as a heartbeat.
  if (election.elector === "vrrp") return { ...owner, confirmed: election.holderAlive === true };
  const heartbeat = heartbeatOf(view, election.holder);
  const enough = new AbortController();
  const cancel = deps.timers.at(later(deps.timers.now(), (election.ttlMs ?? 0) + GRACE_MS), () => enough.abort());
  let latest = owner;
  try {
    for await (const seen of source.reader.watch(AbortSignal.any([enough.signal, deps.signal]))) {
      const now = findElection(seen, election.name);
      if (now === undefined || now.holder !== election.holder)
        return {
          ...owner,
          view: seen,
          election: now ?? { ...election, holder: null },
          confirmed: false,
          formerHolder: election.holder,
        };
      latest = { ...owner, view: seen, election: now };
      if (heartbeatOf(seen, election.holder) !== heartbeat) return { ...latest, confirmed: true };
    }
    deps.signal.throwIfAborted();
    return { ...latest, confirmed: false };
  } finally {
    cancel();
    enough.abort();
  }
}

function heartbeatOf(view: FleetView, node: string): string | null {
  return view.nodes.find((other) => other.node === node)?.sessionVersion ?? null;
}

async function follow(what: string, source: FleetSource, options: WhoOwnsOptions, deps: VipctlDeps): Promise<ExitCode> {
  let shown = "";
  let code: ExitCode = EXIT.store;
  for await (const view of source.reader.watch(deps.signal)) {
    const election = findElection(view, what);
    if (election === undefined) return missing(view, what, deps);
    const owner: Owner = { view, election, via: source.kind, confirmed: null, formerHolder: null, wire: null };
    code = exitCodeFor(owner);
    const essence = JSON.stringify([
      election.holder,
      election.token,
      election.holderAlive,
      view.store.ok,
      election.conflict,
    ]);
    if (essence !== shown) show(owner, options, deps);
    shown = essence;
  }
  return deps.signal.aborted ? EXIT.interrupted : code;
}

/** A daemon cut off from the store knows of its own lease only. */
function exitCodeFor({ view, election, confirmed, wire }: Owner): ExitCode {
  const ownLease = isStatus(view) && election.holder === view.node && (election.validForMs ?? 0) > 0;
  if (!view.store.ok && !ownLease) return EXIT.store;
  if (wire?.agrees === false) return EXIT.disagreement;
  const held = election.holder !== null && (election.holderAlive === true || confirmed === true) && confirmed !== false;
  return held ? EXIT.ok : EXIT.no;
}

function show(owner: Owner, options: WhoOwnsOptions, deps: VipctlDeps): void {
  const { view, election, via, confirmed, wire } = owner;
  if (options.json === true) {
    const { name, addresses, holder, holderAlive, token, sinceWallMs, lastHeartbeatAgeMs, ttlMs } = election;
    const { reasonCode, reason, conflict, elector, role, validForMs } = election;
    const known = { election: name, addresses, holder, holderAlive, token, sinceWallMs, lastHeartbeatAgeMs, ttlMs };
    const facts = { ...known, reasonCode, reason, conflict, elector, role, validForMs };
    deps.out.write(
      `${toJson({ ...facts, fleet: view.fleet, via, store: { ok: view.store.ok, lastError: view.store.lastError }, confirmed, wire })}\n`,
    );
    return;
  }
  deps.out.write(`${describeOwner(owner, styleFor(deps.out, deps.env), deps.timers.wallMs()).join("\n")}\n`);
  if (!view.store.ok) deps.err.write(`${escapeControl(storeFailure(view))}\n`);
}

function storeFailure(view: FleetView): string {
  return `the store cannot be reached: ${view.store.lastError ?? "no reason known"}`;
}

// Watches a world from outside, with its true time, and says which of the program's promises was broken:
//
//   1  at most one host answers for a VIP, at every instant
//   2  a node gives away only what is closed and unbound, and opens only what it was surely given
//   3  a lease lasts from the moment before its heartbeat was sent; an unknown outcome extends nothing
//   4  the tokens of an election only grow
//   6  with a store and a healthy candidate every VIP is held again in time; nobody is stuck (liveness.ts)
//   7  a daemon that is restarted within its lease moves nothing (liveness.ts)
//   0  no assertion of the program itself fails
//
// An address that a person bound by hand on a host where no daemon guards it is not counted.

import type { State } from "../../src/election/state.ts";
import type { Txn } from "../../src/ports/store.ts";
import type { SimDaemon } from "./daemon.ts";
import type { SimHost } from "./host.ts";
import type { Applied } from "./store-model.ts";
import type { TrueTime, World } from "./world.ts";

/** Arithmetic on clocks that drift is not exact, in milliseconds. */
const EPSILON = 1e-3;

/** A promise that was broken. */
export interface Violation {
  /** Which of the invariants; 0: the program's own assertions. */
  readonly invariant: number;
  readonly at: TrueTime;
  readonly text: string;
}

/** An ownership change. */
export interface Grant {
  readonly holder: string | null;
  readonly token: bigint;
}

interface SessionValue {
  readonly processId: string;
  readonly heartbeat: number;
}

interface ElectionValue {
  readonly holder: string | null;
}

/** The outside observer of one run. */
export class Checker {
  readonly violations: Violation[] = [];
  private readonly world: World;
  private readonly ttlMs: number;
  private readonly hosts: ReadonlyMap<string, SimHost>;
  /** When each attempt was sent, and by node the latest one that was applied. */
  private readonly sentAt = new Map<string, TrueTime>();
  private readonly leasedAt = new Map<string, TrueTime>();
  /** By election: the last ownership change in the store, and the greatest token under which a fence was opened, and by whom. */
  private readonly grants = new Map<string, Grant>();
  private readonly opened = new Map<string, { readonly token: bigint; readonly node: string }>();
  private readonly granted = new Set<string>();

  constructor(world: World, ttlMs: number, hosts: ReadonlyMap<string, SimHost>) {
    this.world = world;
    this.ttlMs = ttlMs;
    this.hosts = hosts;
  }

  say(invariant: number, text: string): void {
    this.world.say("CHECKER", () => `invariant ${invariant}: ${text}`);
    this.violations.push({ invariant, at: this.world.now, text });
  }

  /** Who was given an election last, under which token. */
  grantOf(election: string): Grant | undefined {
    return this.grants.get(election);
  }

  /** Follows a kernel that has booted. */
  follow(host: SimHost): void {
    host.kernel.onChange = () => this.checkSole(host);
    host.kernel.onOpen = (ips, until) => this.checkOpening(host, ips, until);
  }

  sent(daemon: SimDaemon, heartbeat: number): void {
    this.sentAt.set(`${daemon.options.processId}/${heartbeat}`, this.world.now);
  }

  /** Validity runs from before the send, of a heartbeat that was applied. */
  stepped(daemon: SimDaemon, after: State): void {
    if (after.validUntil === Number.NEGATIVE_INFINITY) return;
    const leasedAt = this.leasedAt.get(daemon.options.node) ?? Number.NEGATIVE_INFINITY;
    const until = daemon.kernel.clock.trueTimeOf(after.validUntil);
    if (until > leasedAt + this.ttlMs + EPSILON)
      this.say(
        3,
        `${daemon.options.node} takes its lease to last until ${until.toFixed(2)}, but its last heartbeat was sent at ${leasedAt.toFixed(2)}`,
      );
  }

  /** A commit has been applied, at this very moment. */
  applied({ txn, revision, before }: Applied): void {
    const author = authorOf(txn);
    if (author === undefined) return;
    for (const { key, value } of txn.writes) {
      const [folder, name] = (key.split("/live/")[1] ?? "").replace("fleet/", "").split("/");
      if (folder === "sessions" && name === author && value !== null)
        this.heartbeat(author, JSON.parse(value) as SessionValue);
      if (folder === "sessions" && name === author && value === null) this.left(author);
      if (folder !== "elections" || name === undefined || value === null) continue;
      const was = before.get(key)?.value;
      const holder = (JSON.parse(value) as ElectionValue).holder;
      this.ownershipChanged(
        name,
        was === undefined ? null : (JSON.parse(was) as ElectionValue).holder,
        holder,
        author,
        revision,
      );
    }
  }

  private heartbeat(author: string, { processId, heartbeat }: SessionValue): void {
    const sentAt = this.sentAt.get(`${processId}/${heartbeat}`);
    if (sentAt !== undefined) this.leasedAt.set(author, Math.max(sentAt, this.leasedAt.get(author) ?? sentAt));
  }

  private ownershipChanged(
    election: string,
    from: string | null,
    to: string | null,
    author: string,
    token: bigint,
  ): void {
    if (token <= (this.grants.get(election)?.token ?? -1n))
      this.say(4, `the token of ${election} did not grow: ${token}`);
    this.grants.set(election, { holder: to, token });
    if (to !== null) this.granted.add(`${election}/${to}/${token}`);
    if (from === author && to !== author) this.checkReleased(author, election);
  }

  private left(author: string): void {
    for (const election of this.grants.keys()) this.checkReleased(author, election);
  }

  /** What a node gives away must be closed and unbound on its host. */
  private checkReleased(node: string, election: string): void {
    const host = this.hosts.get(node);
    const left = host === undefined ? [] : addressesOf(election).filter((ip) => host.kernel.isLeft(ip));
    if (left.length > 0) this.say(2, `${node} gave ${election} away while ${left.join(", ")} was bound or open`);
  }

  private checkSole(host: SimHost): void {
    const { now } = this.world;
    for (const ip of host.kernel.ipsKnown()) {
      const answering = [...this.hosts.values()].filter(
        ({ kernel }) => kernel.answersUntil(ip) > now && !kernel.answersByHand(ip),
      );
      if (answering.length > 1) this.say(1, `${answering.map(({ name }) => name).join(" and ")} answer for ${ip}`);
    }
  }

  private checkOpening(host: SimHost, ips: readonly string[], until: TrueTime): void {
    const { daemon } = host;
    if (daemon === null || until < this.world.now) return;
    const leasedAt = this.leasedAt.get(host.name) ?? Number.NEGATIVE_INFINITY;
    if (until > leasedAt + this.ttlMs)
      this.say(
        3,
        `${host.name} opens until ${until.toFixed(2)}, but its last heartbeat was sent at ${leasedAt.toFixed(2)}`,
      );
    for (const election of new Set(ips.map(electionOf))) this.checkGrant(daemon, election);
  }

  private checkGrant(daemon: SimDaemon, election: string): void {
    const { node } = daemon.options;
    const tenure = daemon.election.tenures.get(election);
    if (tenure?.phase !== "on") return this.say(2, `${node} opens ${election} without a grant`);
    if (!this.granted.has(`${election}/${node}/${tenure.token}`))
      this.say(2, `${node} opens ${election} with token ${tenure.token}, which it was never given`);
    const last = this.opened.get(election);
    if (last !== undefined && (last.token > tenure.token || (last.token === tenure.token && last.node !== node)))
      this.say(4, `${node} opens ${election} with token ${tenure.token} after ${last.node} did with ${last.token}`);
    this.opened.set(election, { token: tenure.token, node });
  }
}

/** Whose commit it is: every commit writes the session of its author. */
function authorOf(txn: Txn): string | undefined {
  const sessions = txn.writes.flatMap(({ key, value }) => {
    const [folder, node] = (key.split("/live/")[1] ?? "").replace("fleet/", "").split("/");
    return folder === "sessions" && node !== undefined ? [{ node, value }] : [];
  });
  return (sessions.find(({ value }) => value !== null) ?? sessions[0])?.node;
}

/** All addresses that a VIP may have had; scenario.ts numbers them. */
function addressesOf(election: string): readonly string[] {
  const number = election.slice("vip-".length);
  return [1, 2, 3].map((last) => `10.0.${number}.${last}`);
}

function electionOf(ip: string): string {
  return `vip-${ip.split(".")[2]}`;
}

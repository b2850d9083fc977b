// Watches a world from outside, with its true time, and says which of the program's promises was broken:
//
//   1  at most one host answers for a VIP, and sends with a virtual MAC, at every instant
//   2  a node gives away only what is closed and unbound, and opens only what it was surely given
//   3  a lease lasts from the moment before its heartbeat was sent; an unknown outcome extends nothing
//   4  the tokens of an election only grow
//   6  with a store and a healthy candidate every VIP is held again in time; nobody is stuck (liveness.ts)
//   7  a daemon that is restarted within its lease moves nothing (liveness.ts)
//   8  the routes and rules of a VIP are there only where it is held or on its way out, and nothing is left after a stop
//   0  no assertion of the program itself fails
//
// An address that a person bound by hand on a host where no daemon guards it is not counted, nor what a host
// answers while its fence is taken away, nor what was open when its machine fell asleep and no daemon could close it at
// its waking, until a daemon has closed or opened it again.

import { type RoutingEntry, routingText } from "../../src/base/routing.ts";
import { grantFor, isVirtualRouterMac } from "../../src/base/virtual-mac.ts";
import type { State } from "../../src/election/state.ts";
import type { Txn } from "../../src/ports/store.ts";
import type { SimDaemon } from "./daemon.ts";
import type { SimHost } from "./host.ts";
import { vipOf } from "./routing.ts";
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
  readonly ttlMs: number;
}

/** The last heartbeat of a process that was applied: when it was sent, and the lease that it published. */
interface Leased {
  readonly sentAt: TrueTime;
  readonly ttlMs: number;
}

const NEVER_LEASED: Leased = { sentAt: Number.NEGATIVE_INFINITY, ttlMs: 0 };

interface ElectionValue {
  readonly holder: string | null;
}

/** The outside observer of one run. */
export class Checker {
  readonly violations: Violation[] = [];
  onViolation: (violation: Violation) => void = () => {};
  private readonly world: World;
  private readonly hosts: ReadonlyMap<string, SimHost>;
  /** When each attempt was sent, and by process the latest one that was applied. */
  private readonly sentAt = new Map<string, TrueTime>();
  private readonly leased = new Map<string, Leased>();
  /** By process, the host that it ran on; by host and election, the addresses that were opened for it. */
  private readonly hostOf = new Map<string, SimHost>();
  private readonly openedFor = new Map<string, Set<string>>();
  /** By election: the last ownership change in the store, and the greatest token under which a fence was opened, and by whom. */
  private readonly grants = new Map<string, Grant>();
  private readonly opened = new Map<string, { readonly token: bigint; readonly node: string }>();
  private readonly granted = new Set<string>();

  constructor(world: World, hosts: ReadonlyMap<string, SimHost>) {
    this.world = world;
    this.hosts = hosts;
  }

  say(invariant: number, text: string): void {
    this.world.say("CHECKER", () => `invariant ${invariant}: ${text}`);
    const violation = { invariant, at: this.world.now, text };
    this.violations.push(violation);
    this.onViolation(violation);
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
    const host = this.hosts.get(daemon.options.host);
    if (host !== undefined) this.hostOf.set(daemon.options.processId, host);
  }

  /** A daemon has stopped: nothing of its VIPs is left to be seen. */
  stopped({ name, kernel }: SimHost): void {
    const left = kernel.routing.all();
    if (left.length > 0) this.say(8, `${textsOf(left)} was left when the daemon of ${name} had stopped`);
  }

  /** Validity runs from before the send, of a heartbeat that was applied. */
  stepped(daemon: SimDaemon, after: State): void {
    if (after.validUntil === Number.NEGATIVE_INFINITY) return;
    const until = daemon.kernel.clock.trueTimeOf(after.validUntil);
    const { sentAt, ttlMs } = this.leaseOf(daemon);
    if (until > sentAt + ttlMs + EPSILON)
      this.say(
        3,
        `${daemon.options.host} takes its lease to last until ${until.toFixed(2)}, but its last heartbeat was sent at ${sentAt.toFixed(2)}`,
      );
  }

  /** A commit has been applied, at this very moment. */
  applied({ txn, revision, before }: Applied): void {
    const author = authorOf(txn, before);
    if (author === undefined) return;
    for (const { key, value } of txn.writes) {
      const [folder, name] = pathOf(key);
      if (folder === "sessions" && name === author.node) {
        if (value === null) this.left(author);
        else this.heartbeat(JSON.parse(value) as SessionValue);
      }
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

  private heartbeat({ processId, heartbeat, ttlMs }: SessionValue): void {
    const sentAt = this.sentAt.get(`${processId}/${heartbeat}`);
    const last = this.leased.get(processId) ?? NEVER_LEASED;
    if (sentAt !== undefined && sentAt > last.sentAt) this.leased.set(processId, { sentAt, ttlMs });
  }

  private leaseOf(daemon: SimDaemon): Leased {
    return this.leased.get(daemon.options.processId) ?? NEVER_LEASED;
  }

  private ownershipChanged(
    election: string,
    from: string | null,
    to: string | null,
    author: Author,
    token: bigint,
  ): void {
    if (token <= (this.grants.get(election)?.token ?? -1n))
      this.say(4, `the token of ${election} did not grow: ${token}`);
    this.grants.set(election, { holder: to, token });
    if (to !== null) this.granted.add(`${election}/${to}/${token}`);
    if (from === author.node && to !== author.node) this.checkReleased(author, election);
  }

  private left(author: Author): void {
    for (const election of this.grants.keys()) this.checkReleased(author, election);
  }

  /** What a node gives away must be closed and unbound on its host, unless it holds it for another election. */
  private checkReleased({ node, processId }: Author, election: string): void {
    const host = this.hostOf.get(processId);
    if (host === undefined) return;
    const key = `${host.name} ${election}`;
    const others = holdersOf(host, election);
    const left = [...(this.openedFor.get(key) ?? [])].filter((ip) => host.kernel.isLeft(ip) && !others.has(ip));
    if (left.length > 0) this.say(2, `${node} gave ${election} away while ${left.join(", ")} was bound or open`);
    const routed = host.kernel.routing.all().filter((entry) => vipOf(entry) === election);
    if (routed.length > 0) this.say(8, `${node} gave ${election} away while ${textsOf(routed)} was set`);
    this.openedFor.delete(key);
  }

  private checkSole(host: SimHost): void {
    const { now } = this.world;
    for (const ip of host.kernel.known()) {
      const answering = [...this.hosts.values()].filter(
        (other) => other.kernel.answersUntil(ip) > now && !isExcused(other, ip),
      );
      if (answering.length > 1)
        this.say(
          1,
          `${answering.map(({ name }) => name).join(" and ")} ${isVirtualRouterMac(ip) ? "send with" : "answer for"} ${ip}`,
        );
    }
  }

  private checkOpening(host: SimHost, ips: readonly string[], until: TrueTime): void {
    const { daemon } = host;
    if (daemon === null || until < this.world.now) return;
    const { sentAt, ttlMs } = this.leaseOf(daemon);
    if (until > sentAt + ttlMs)
      this.say(
        3,
        `${host.name} opens until ${until.toFixed(2)}, but its last heartbeat was sent at ${sentAt.toFixed(2)}`,
      );
    const elections = new Set<string>();
    for (const [election, { addresses }] of daemon.daemon.holdings.holdings)
      for (const ip of grantFor(addresses)) {
        if (!ips.includes(ip)) continue;
        elections.add(election);
        this.noteOpened(host.name, election, ip);
      }
    for (const election of elections) this.checkGrant(daemon, election);
  }

  /** An address is opened for one election of a host at a time. */
  private noteOpened(host: string, election: string, ip: string): void {
    const key = `${host} ${election}`;
    if (this.openedFor.get(key)?.has(ip) === true) return;
    for (const [other, ips] of this.openedFor) if (other.startsWith(`${host} `)) ips.delete(ip);
    this.openedFor.set(key, (this.openedFor.get(key) ?? new Set()).add(ip));
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

/** Whether nobody can be blamed for what a host answers. */
export function isExcused({ kernel, daemon }: SimHost, ip: string): boolean {
  if (kernel.flushed || kernel.unattended.has(ip) || kernel.answersByHand(ip)) return true;
  return kernel.openSinceSleep.has(ip) && daemon?.process.isStopped === true;
}

function textsOf(entries: readonly RoutingEntry[]): string {
  return entries.map(routingText).join(", ");
}

/** Whose commit it is. */
interface Author {
  readonly node: string;
  readonly processId: string;
}

/** Every commit writes the session of its author; it may end those of others beside it. */
function authorOf(txn: Txn, before: Applied["before"]): Author | undefined {
  const sessions = txn.writes.filter(({ key }) => pathOf(key)[0] === "sessions");
  const own = sessions.find(({ value }) => value !== null) ?? sessions[0];
  const value = own?.value ?? (own === undefined ? undefined : before.get(own.key)?.value);
  if (own === undefined || value === undefined) return undefined;
  return { node: pathOf(own.key)[1] ?? "", processId: (JSON.parse(value) as SessionValue).processId };
}

/** Folder and name of a record. */
function pathOf(key: string): readonly string[] {
  return (key.split("/live/")[1] ?? "").replace("fleet/", "").split("/");
}

/** The addresses, and virtual MACs, that a host holds for other elections than this one. */
function holdersOf({ daemon }: SimHost, election: string): ReadonlySet<string> {
  const others = [...(daemon?.daemon.holdings.holdings ?? [])].filter(([name]) => name !== election);
  return new Set(others.flatMap(([, { addresses }]) => grantFor(addresses)));
}

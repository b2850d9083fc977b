// The fence over nftables: guarded addresses are dropped unless the kernel itself still counts down for them.
//
// Why open() needs two transactions. A timeout is relative: it starts when the kernel takes it, and between our reading
// of the clock and that moment this process may be frozen for any time. So we first put an element with a short timeout
// into the set `armed`, then read the clock, then delete that element in the same transaction that sets the deadline.
// If we were frozen for longer than the short timeout, the element is gone, the deletion fails, and with it the whole
// transaction. If it succeeds, it began at most ARMED_MS after the element was put there, hence at most ARMED_MS after
// the clock was read, and the deadline ends at most at now + ARMED_MS + timeout < until.
//
// No timeout of the kernel runs while the machine sleeps, the armed element's neither. A machine that fell asleep between
// the two transactions is told by the clock, which counts sleep, behind the second one: then it is closed at once.
//
// Ownership: the tables belong to our netlink socket (nobody else can change or flush them) and persist when it closes.
// Where tables cannot be owned, a lock of the network namespace keeps a second daemon out.

import { VipdError } from "../../../src/base/errors.ts";
import { elapsedMs, type Instant } from "../../../src/base/time.ts";
import type { Clock } from "../../../src/ports/clock.ts";
import type {
  AddressPlace,
  Fence,
  FenceDeadline,
  FenceInfo,
  OpenResult,
  ProtectResult,
} from "../../../src/ports/host.ts";
import { be32 } from "../../../src/wire/bytes.ts";
import { formatIp } from "../../../src/wire/ip.ts";
import type { LinkRecord } from "../../../src/wire/rtnetlink.ts";
import { EBUSY, EEXIST, ENOENT, EPERM, kernelError } from "../errors.ts";
import { type NamespaceLock, lockNamespace } from "../namespace-lock.ts";
import type { Request } from "../netlink.ts";
import {
  buildTable,
  inspectTable,
  type InstalledTable,
  removal,
  type StandingChains,
  type TableBuild,
} from "./build.ts";
import { type SetChange, Contents } from "./contents.ts";
import {
  ARMED,
  DEADLINE_KEYS,
  deadlineName,
  type FenceTable,
  fenceTables,
  GUARDED,
  linksToFence,
  netdevTable,
  OPEN,
  translationTable,
} from "./layout.ts";
import { addElements, deleteElements, deleteTable } from "./messages.ts";
import { Nftables, type Outcome } from "./nftables.ts";
import { hasLegacyNat, hasNatChain } from "./translation.ts";
import { virtualMacTable } from "./virtual-mac.ts";
import { describeFence, type FenceKind, OWNED, probeFence } from "./probe.ts";

/** How much before `until` an opening may end, and how long it may take between its two transactions. */
export const ARM_MS = 100;

/** Timeout of the armed element: less than ARM_MS, so that what the kernel itself needs inside a transaction is paid for. */
const ARMED_MS = 80;

/** Less open time than this is not worth a transaction. */
const MIN_OPEN_MS = 20;

/** Longest open time, in milliseconds: far beyond any lease, and well inside the kernel's arithmetic. */
const MAX_OPEN_MS = 7 * 24 * 3600 * 1000;

/** How often an opening begins anew when what it takes out has gone by itself meanwhile. */
const OPEN_ATTEMPTS = 3;

/** What the kernel says when its sets are not as they were. */
const CHANGED_MEANWHILE: readonly number[] = [ENOENT, EEXIST, EBUSY];

const NONE: ReadonlySet<string> = new Set();

const NO_MACS =
  "virtual MACs need a fence at the hooks of interfaces (netdev, kernel 5.16 and newer), and this one has none: use a newer kernel, or take virtualMac out";

/** How often protect() looks at the interfaces when one goes in the middle of it. */
const PROTECT_ATTEMPTS = 3;

/** How to build a fence. */
export interface FenceOptions {
  /** `auto` takes the best that the kernel has. */
  readonly mode: "auto" | FenceInfo["kind"];
  /** Name of the nftables tables. */
  readonly table: string;
}

/** What a fence needs. */
export interface FenceDeps {
  readonly clock: Clock;
  /** The links of the host, now. */
  readonly links: () => readonly LinkRecord[];
  /** For tests: runs between the steps of open(), where a process may be frozen. */
  readonly pause?: (step: "armed" | "clock-read") => void;
  /** For tests: false does as on kernels without owned, persistent tables (before 6.9). */
  readonly ownable?: boolean;
}

/**
 * Finds out what this kernel can carry, and makes the fence's object; nothing is in force before protect().
 * Throws "already-running" when another vipd fences this network namespace, "fence" when another program owns the tables, "privilege" without CAP_NET_ADMIN.
 */
export function createFence(options: FenceOptions, deps: FenceDeps): Fence {
  const lock = lockNamespace(`vipd/fence/${options.table}`);
  if (lock === "busy")
    throw new VipdError(
      "already-running",
      "another vipd already runs in this network namespace: there can be one in each; stop it first",
      { table: options.table },
    );
  const nft = new Nftables();
  try {
    const kind = probeFence(nft, options.mode, options.table, deps.ownable ?? true);
    const fence = new KernelFence(kind, options.table, nft, lock, deps);
    fence.refuseForeignOwner();
    return fence;
  } catch (error) {
    nft.close();
    lock.release();
    throw error;
  }
}

/** A deadline by the name of its set. */
interface NamedDeadline {
  readonly name: string;
  readonly until: Instant;
}

class KernelFence implements Fence {
  readonly info: FenceInfo;
  readonly #kind: FenceKind;
  readonly #base: readonly [FenceTable, ...FenceTable[]];
  /** For traffic that this host translates, and only where it does. */
  readonly #translation: FenceTable;
  /** From the first time that address translation was seen on this host. */
  #translates = false;
  /** For virtual MACs, and only while there are any. */
  readonly #macs: FenceTable;
  #hasMacs = false;
  /** Tables that only the other kind has, which another configuration may have left. */
  readonly #otherKind: readonly FenceTable[];
  readonly #contents: ReadonlyMap<FenceTable, Contents>;
  readonly #nft: Nftables;
  readonly #lock: NamespaceLock;
  readonly #deps: FenceDeps;
  #installed: ReadonlyMap<FenceTable, InstalledTable> | undefined;
  /** What protect() has left, and the interfaces, by index, that it was made for. */
  #standing:
    | { readonly chains: ReadonlyMap<FenceTable, StandingChains>; readonly links: ReadonlyMap<number, string> }
    | undefined;
  /** The generation of the ruleset at which everything was as it should be. */
  #generation: number | undefined;
  /** Key of the next armed element. Begins at the clock, so that it differs from those of a former process. */
  #nextArm: number;

  constructor(kind: FenceKind, table: string, nft: Nftables, lock: NamespaceLock, deps: FenceDeps) {
    this.info = describeFence(kind);
    this.#kind = kind;
    this.#base = fenceTables(kind.kind, table);
    this.#translation = translationTable(table);
    this.#macs = virtualMacTable(table);
    this.#otherKind = kind.kind === "netdev" ? [] : [netdevTable(table)];
    const all = [...this.#base, this.#macs, this.#translation];
    this.#contents = new Map(all.map((each) => [each, new Contents(each)]));
    this.#nft = nft;
    this.#lock = lock;
    this.#deps = deps;
    this.#nextArm = Math.floor(deps.clock.now() * 1000) % 0x1_0000_0000;
  }

  get #tables(): readonly [FenceTable, ...FenceTable[]] {
    const macs = this.#hasMacs ? [this.#macs] : [];
    return [...this.#base, ...macs, ...(this.#translates ? [this.#translation] : [])];
  }

  /** Tables that do not belong to this fence as it is now. */
  get #others(): readonly FenceTable[] {
    const macs = this.#hasMacs ? [] : [this.#macs];
    return [...this.#otherKind, ...macs, ...(this.#translates ? [] : [this.#translation])];
  }

  /** Throws "fence" when a table belongs to another living process. */
  refuseForeignOwner(): void {
    for (const { name } of [...this.#tables, ...this.#others]) {
      const owner = this.#nft.table(name)?.owner;
      if (owner === undefined || owner === this.#nft.port) continue;
      const message = `another program owns the nftables table ${name.table} of this network namespace (netlink port ${owner}, which usually is its process id): stop it first`;
      throw new VipdError("fence", message, { table: name.table, owner });
    }
  }

  protect(addresses: readonly AddressPlace[]): ProtectResult {
    this.refuseForeignOwner();
    const hasMacs = addresses.some(({ virtualMac }) => virtualMac !== undefined);
    if (hasMacs && this.#kind.kind !== "netdev") throw new VipdError("fence", NO_MACS);
    const guarding = [...this.#base, this.#macs];
    const wereOpen = guarding.map((table) => this.#contentsOf(table).openKeys());
    this.#translates ||= hasLegacyNat() || hasNatChain(this.#nft);
    this.#hasMacs = hasMacs;
    if (!this.#isTrusted()) this.#readContents();
    for (let attempt = 1; ; attempt++) {
      const links = linksToFence(this.#deps.links(), addresses);
      const { flags } = this.#kind;
      const known = this.#knownChains(links);
      const builds = this.#tables.map((table) =>
        buildTable(this.#nft, table, flags, links, addresses, this.#contentsOf(table), known?.get(table)),
      );
      this.#standing = undefined;
      const outcome = this.#commitBuilds(builds);
      if (outcome.done) {
        for (const { done } of builds) done();
        this.#remember(builds, links);
        this.#inspect();
        const isClosed = guarding.some((table, i) => this.#contentsOf(table).hasClosed(wereOpen[i] ?? NONE));
        return isClosed ? "closed" : "kept";
      }
      this.#readContents();
      // Before 6.16 a chain needs its interface, which may go between the look and the change: look again.
      if (outcome.errno !== ENOENT || attempt === PROTECT_ATTEMPTS) this.#fail("protect", outcome.errno);
    }
  }

  open(addresses: readonly AddressPlace[], deadline: number, until: Instant): OpenResult {
    return this.#setDeadlines([{ deadline, until }], (name) => this.#openings(addresses, name));
  }

  extend(deadlines: readonly FenceDeadline[]): OpenResult {
    return this.#setDeadlines(deadlines, (name) => this.#openings([], name));
  }

  #setDeadlines(deadlines: readonly FenceDeadline[], openings: (name: string) => readonly SetChange[]): OpenResult {
    const named = deadlines.map(({ deadline, until }) => ({ name: deadlineName(deadline), until }));
    for (let attempt = 1; attempt <= OPEN_ATTEMPTS; attempt++) {
      const result = this.#setOnce(named, openings);
      if (result !== "again") return { kind: result };
    }
    throw new VipdError("fence", "elements kept going while the fence was being opened", { attempts: OPEN_ATTEMPTS });
  }

  close(addresses: readonly AddressPlace[]): void {
    const close = (): { readonly errno: number } | undefined => {
      return this.#commit(this.#tables.map((table) => this.#contentsOf(table).close(addresses)));
    };
    let refused = close();
    if (refused?.errno === ENOENT) {
      // Somebody else has taken elements out: what is left is closed.
      this.#readContents();
      refused = close();
    }
    // What is not there is closed for good or not fenced at all: intact() tells.
    if (refused !== undefined && refused.errno !== ENOENT) this.#fail("close", refused.errno);
  }

  openAddresses(): readonly string[] {
    // Nobody else changes owned tables: what the first one has open, all have.
    const asked = this.#kind.flags === OWNED ? this.#base.slice(0, 1) : this.#base;
    const [first, ...others] = asked.map((table) => ({ table, open: this.#openIn(table) }));
    return [...(first?.open ?? [])].filter((ip) => {
      const family = ip.includes(":") ? 6 : 4;
      return others.every(({ table, open }) => open.has(ip) || !table.families.includes(family));
    });
  }

  guardedAddresses(): readonly string[] {
    const keys = [...this.#tables, ...this.#others].flatMap(({ name, families }) =>
      families
        .filter((family) => family !== "mac")
        .flatMap((family) => this.#nft.elements(name, GUARDED[family]).map(({ key }) => formatIp(key))),
    );
    return [...new Set(keys)];
  }

  intact(): boolean {
    if (this.#installed === undefined) return false;
    if (!this.#translates && hasLegacyNat()) return false;
    const generation = this.#nft.generation();
    if (generation === this.#generation) return true;
    if (!this.#translates && hasNatChain(this.#nft)) return false;
    const stands = [...this.#installed].every(([table, installed]) => this.#stands(table, installed));
    if (stands) this.#generation = generation;
    return stands;
  }

  doubt(): void {
    this.#standing = undefined;
  }

  remove(): void {
    this.refuseForeignOwner();
    const present = this.#tables.filter(({ name }) => this.#nft.table(name) !== undefined);
    const outcome = this.#nft.commit(present.map(({ name }) => deleteTable(name)));
    if (!outcome.done && outcome.errno !== ENOENT) this.#fail("remove", outcome.errno);
    this.#installed = undefined;
    this.#standing = undefined;
    for (const [, contents] of this.#contents) contents.clear();
  }

  release(): void {
    this.#nft.close();
    this.#lock.release();
  }

  /** The addresses that this table has open, under deadlines that have not passed. */
  #openIn(table: FenceTable): ReadonlySet<string> {
    const open = table.families.flatMap((family) => this.#nft.elements(table.name, OPEN[family]));
    const chains = new Set(open.flatMap(({ chain }) => chain ?? []));
    const running = new Set([...chains].filter((chain) => this.#nft.elements(table.name, chain).length > 0));
    return new Set(open.filter(({ chain = "" }) => running.has(chain)).map(({ key }) => formatIp(key)));
  }

  #openings(addresses: readonly AddressPlace[], deadline: string): readonly SetChange[] {
    const [first] = this.#tables;
    return this.#tables.map((table) => this.#contentsOf(table).openUnder(addresses, deadline, this.#contentsOf(first)));
  }

  #setOnce(
    deadlines: readonly NamedDeadline[],
    openings: (name: string) => readonly SetChange[],
  ): OpenResult["kind"] | "again" {
    const [first] = this.#tables;
    // Between arming and the commit every millisecond counts.
    const made = deadlines.flatMap(({ name }) =>
      this.#tables.map((table) => this.#contentsOf(table).ensureDeadline(name)),
    );
    const opened = deadlines.flatMap(({ name }) => openings(name));
    const key = this.#arm();
    this.#deps.pause?.("armed");
    const readAt = this.#deps.clock.now();
    const timed = deadlines.map(({ name, until }) => ({
      name,
      timeoutMs: Math.min(Math.floor(elapsedMs(readAt, until) - ARM_MS), MAX_OPEN_MS),
    }));
    if (timed.some(({ timeoutMs }) => timeoutMs < MIN_OPEN_MS)) return "too-late";
    this.#deps.pause?.("clock-read");
    const proof: SetChange = { requests: deleteElements(first.name, ARMED.name, [key]), done: () => undefined };
    const extended = this.#tables.map((table): SetChange => {
      const contents = this.#contentsOf(table);
      return {
        requests: timed.flatMap(({ name, timeoutMs }) => contents.timeoutOf(name, timeoutMs)),
        done: () => undefined,
      };
    });
    const refused = this.#commit([proof, ...made, ...extended, ...opened]);
    if (refused === undefined) return this.#sleptSince(readAt) ? this.#closeDeadlines(deadlines) : "open";
    if (refused.at === 0 && refused.errno === ENOENT) return "too-late";
    if (!CHANGED_MEANWHILE.includes(refused.errno)) return this.#fail("open", refused.errno);
    this.#readContents();
    return "again";
  }

  /**
   * The chains as they surely stand: nobody else changes those of an owned table, and the kernel takes out, or lets go of, only
   * those of interfaces that went or got another name. One that came back before anybody looked, under its old name and
   * number, as from another namespace, has none on most kernels: who hears of that says so by doubt().
   */
  #knownChains(links: readonly LinkRecord[]): ReadonlyMap<FenceTable, StandingChains> | undefined {
    if (this.#standing === undefined || !this.#isTrusted()) return undefined;
    const names = new Map(links.map(({ index, name }) => [index, name]));
    const isThere = ([index, name]: readonly [number, string]): boolean => names.get(index) === name;
    return [...this.#standing.links].every(isThere) ? this.#standing.chains : undefined;
  }

  #remember(builds: readonly TableBuild[], links: readonly LinkRecord[]): void {
    this.#standing = {
      chains: new Map(this.#tables.flatMap((table, i) => (builds[i] === undefined ? [] : [[table, builds[i].chains]]))),
      links: new Map(links.map(({ index, name }) => [index, name])),
    };
  }

  #commitBuilds(builds: readonly TableBuild[]): Outcome {
    const adopted = this.#nft.commit(builds.flatMap(({ adoption }) => adoption));
    if (!adopted.done) return adopted;
    return this.#nft.commit([...builds.flatMap(({ requests }) => requests), ...this.#removeOthers()]);
  }

  #readContents(): void {
    for (const contents of this.#contents.values()) contents.read(this.#nft);
  }

  /** The kernel's timeouts stand still while the machine sleeps: the armed element proves nothing then. */
  #sleptSince(readAt: Instant): boolean {
    return elapsedMs(readAt, this.#deps.clock.now()) > ARM_MS;
  }

  #closeDeadlines(deadlines: readonly NamedDeadline[]): "too-late" {
    const requests = this.#tables.flatMap((table) =>
      deadlines.flatMap(({ name }) => deleteElements(table.name, name, DEADLINE_KEYS)),
    );
    const refused = this.#commit([{ requests, done: () => undefined }]);
    if (refused !== undefined && refused.errno !== ENOENT) this.#fail("close", refused.errno);
    return "too-late";
  }

  #arm(): Uint8Array {
    const [first] = this.#tables;
    const key = be32(this.#nextArm);
    this.#nextArm = (this.#nextArm + 1) % 0x1_0000_0000;
    const requests = addElements(first.name, ARMED.name, [key], { timeoutMs: ARMED_MS }, true);
    const refused = this.#commit([{ requests, done: () => undefined }]);
    if (refused === undefined) return key;
    // A key of a former process that has not run out yet: few, and gone within ARMED_MS.
    if (refused.errno === EEXIST) return this.#arm();
    return this.#fail("arm", refused.errno);
  }

  /** Commits changes together; what the kernel refused, if it did. */
  #commit(changes: readonly SetChange[]): { readonly errno: number; readonly at: number } | undefined {
    const outcome = this.#nft.commit(changes.flatMap(({ requests }) => requests));
    if (!outcome.done) return outcome;
    for (const { done } of changes) done();
    // Our own transaction counts one; more, and somebody else was at it too.
    if (this.#generation !== undefined) {
      const next = (this.#generation + 1) >>> 0;
      if (this.#nft.generation() === next) this.#generation = next;
    }
    return undefined;
  }

  /** Fences of the other kind, left by another configuration, go as soon as this one stands. */
  #removeOthers(): readonly Request[] {
    return this.#others.flatMap((table) => {
      const found = this.#nft.table(table.name);
      return found === undefined ? [] : removal(table, found, OWNED);
    });
  }

  #inspect(): void {
    const installed = new Map<FenceTable, InstalledTable>();
    for (const table of this.#tables) {
      const found = inspectTable(this.#nft, table, this.#kind.flags);
      if (found !== undefined) installed.set(table, found);
    }
    this.#installed = installed;
    this.#generation = this.#nft.generation();
  }

  /** Whether what is remembered of the sets surely is what the kernel has: nobody else can change an owned table. */
  #isTrusted(): boolean {
    return this.#installed !== undefined && this.#kind.flags === OWNED && this.#tablesAreOurs();
  }

  #tablesAreOurs(): boolean {
    return this.#tables.every((table) => {
      const found = this.#nft.table(table.name);
      return found?.owner === this.#nft.port && found.handle === this.#installed?.get(table)?.handle;
    });
  }

  /** Nobody else can change what stands in an owned table. */
  #stands(table: FenceTable, installed: InstalledTable): boolean {
    const found = this.#nft.table(table.name);
    if (found?.handle !== installed.handle) return false;
    if (this.#kind.flags === OWNED) return found.owner === this.#nft.port;
    const now = inspectTable(this.#nft, table, this.#kind.flags);
    const same = JSON.stringify(now?.chains.map(describe)) === JSON.stringify(installed.chains.map(describe));
    return same && this.#contentsOf(table).isAsKnown(this.#nft);
  }

  #contentsOf(table: FenceTable): Contents {
    const contents = this.#contents.get(table);
    if (contents === undefined) throw new VipdError("fence", `no such table: ${table.name.table}`);
    return contents;
  }

  #fail(what: string, errno: number): never {
    if (errno === EPERM) this.refuseForeignOwner();
    if (errno === ENOENT)
      throw new VipdError("fence", `${what}: the fence is gone from the kernel`, { call: what, errno });
    throw kernelError(`nftables ${what}`, errno);
  }
}

function describe({ name, handle, use, devices }: InstalledTable["chains"][number]): string {
  return `${name} ${handle} ${use} ${devices}`;
}

// What stands in the sets of one table of the fence: which addresses are guarded, and which are open under which deadline.
// Nobody else changes an owned table, so that it need not be asked for again; where tables cannot be owned, somebody
// may have, and it is read anew when a transaction fails.

import type { AddressPlace } from "../../../src/ports/host.ts";
import { toHex } from "../../../src/wire/bytes.ts";
import { NLM_F_CREATE } from "../../../src/wire/netlink.ts";
import { elementsWithTimeout, NFT_MSG_NEWSETELEM, type TableName } from "../../../src/wire/nftables.ts";
import type { Request } from "../netlink.ts";
import { DEADLINE_KEYS, deadlinePlan, type FenceTable, type Guarded, GUARDED, isDeadline, OPEN } from "./layout.ts";
import { addElements, deleteChain, deleteElements, deleteSet, keysOf, newChain, newSet } from "./messages.ts";
import type { Nftables } from "./nftables.ts";

/** For elements that one transaction adds and takes out again, in milliseconds. */
const PASSING_MS = 1_000;

/** The elements of a set, by their keys as text. */
type Keys = Map<string, Uint8Array>;

/** An address that is open, and the chain of its deadline. */
interface OpenElement {
  readonly key: Uint8Array;
  readonly chain: string;
}

/** The requests that give a deadline this time from now on. */
type DeadlineTimer = (timeoutMs: number) => readonly Request[];

/** A change of some sets: what to ask the kernel for, and what then stands. */
export interface SetChange {
  readonly requests: readonly Request[];
  /** To be called when the kernel has taken it. */
  readonly done: () => void;
}

/** The sets of one table. */
export class Contents {
  private readonly table: FenceTable;
  private readonly guarded = new Map<Guarded, Keys>();
  private readonly open = new Map<Guarded, Map<string, OpenElement>>();
  /** Names of the deadlines that have a chain and a set. */
  private deadlines = new Set<string>();
  /** What sets the time of a deadline, by its name: hundreds of virtual routers need it hundreds of times a second. */
  private readonly timers = new Map<string, DeadlineTimer>();
  /** Deadlines under which this table surely has open what the first table has. */
  private readonly caughtUp = new Set<string>();

  constructor(table: FenceTable) {
    this.table = table;
    for (const family of table.families) {
      this.guarded.set(family, new Map());
      this.open.set(family, new Map());
    }
  }

  /** Reads what stands in the kernel. */
  read(nft: Nftables): void {
    for (const family of this.table.families) {
      this.guarded.set(family, read(nft, this.table, GUARDED[family]));
      const open = nft.elements(this.table.name, OPEN[family]);
      this.open.set(family, new Map(open.map(({ key, chain = "" }) => [toHex(key), { key, chain }])));
    }
    const chains = nft.chains(this.table.name).map(({ name }) => name);
    this.deadlines = new Set(chains.filter(isDeadline));
    this.caughtUp.clear();
  }

  /** Whether the kernel guards, and has open, what it should: asked where somebody else can change it. */
  isAsKnown(nft: Nftables): boolean {
    const same = (known: ReadonlyMap<string, unknown>, present: ReadonlyMap<string, unknown>): boolean =>
      known.size === present.size && [...known.keys()].every((text) => present.has(text));
    return this.table.families.every(
      (family) =>
        same(of(this.guarded, family), read(nft, this.table, GUARDED[family])) &&
        same(of(this.open, family), read(nft, this.table, OPEN[family])),
    );
  }

  /** The addresses that are known to be open, as keys. */
  openKeys(): ReadonlySet<string> {
    return new Set([...this.open.values()].flatMap((open) => [...open.keys()]));
  }

  /** Whether one of these is guarded and not open. */
  hasClosed(keys: ReadonlySet<string>): boolean {
    return this.table.families.some((family) =>
      [...of(this.guarded, family).keys()].some((key) => keys.has(key) && !of(this.open, family).has(key)),
    );
  }

  /** The table has been made anew. */
  clear(): void {
    for (const part of [this.guarded, this.open]) for (const keys of part.values()) keys.clear();
    this.deadlines.clear();
    this.timers.clear();
    this.caughtUp.clear();
  }

  /**
   * Makes the guarded addresses exactly these. What comes in, or goes out, is not open afterwards; what stays, stays as
   * it is. Deadlines under which nothing is open go.
   */
  guard(addresses: readonly AddressPlace[]): SetChange {
    const requests: Request[] = [];
    const steps: (() => void)[] = [];
    const inUse = new Set<string>();
    for (const family of this.table.families) {
      const [present, open] = [of(this.guarded, family), of(this.open, family)];
      const wanted: Keys = new Map(keysOf(addresses, family).map((key) => [toHex(key), key]));
      const added = [...wanted].filter(([text]) => !present.has(text));
      const removed = [...present].filter(([text]) => !wanted.has(text));
      const closed = [...open].filter(([text]) => !present.has(text) || !wanted.has(text));
      requests.push(
        ...deleteElements(
          this.table.name,
          OPEN[family],
          closed.map(([, { key }]) => key),
        ),
        ...deleteElements(this.table.name, GUARDED[family], keysIn(removed)),
        ...addElements(this.table.name, GUARDED[family], keysIn(added)),
      );
      const gone = new Set(closed.map(([text]) => text));
      for (const [text, { chain }] of open) if (!gone.has(text)) inUse.add(chain);
      steps.push(() => {
        for (const [text] of removed) present.delete(text);
        for (const [text, key] of added) present.set(text, key);
        for (const text of gone) open.delete(text);
      });
    }
    const unused = [...this.deadlines].filter((name) => !inUse.has(name));
    requests.push(...unused.flatMap((name) => [deleteChain(this.table.name, name), deleteSet(this.table.name, name)]));
    steps.push(() => unused.forEach((name) => this.forget(name)));
    return { requests, done: () => steps.forEach((step) => step()) };
  }

  /** Makes the deadline of this name, when it is not there. */
  ensureDeadline(name: string): SetChange {
    if (this.deadlines.has(name)) return { requests: [], done: () => undefined };
    const { set, chain } = deadlinePlan(name);
    const requests = [newSet(this.table.name, set, 1), ...newChain(this.table.name, chain)];
    return { requests, done: () => this.deadlines.add(name) };
  }

  /**
   * Gives what is open under a deadline, which is there, this time from now on, whether or not its time is over: the elements
   * are added first, so that they surely are there and can be taken out, because kernels before 6.12 do not change the
   * timeout of an element that is there. Within one transaction no packet sees the moment between.
   */
  timeoutOf(name: string, timeoutMs: number): readonly Request[] {
    const timer = this.timers.get(name) ?? timerOf(this.table.name, name);
    this.timers.set(name, timer);
    return timer(timeoutMs);
  }

  /**
   * Opens addresses under a deadline, which is there; those that were open under another one move. What `like` has open
   * under it is opened here as well: a table that was made later catches up.
   */
  openUnder(addresses: readonly AddressPlace[], chain: string, like: Contents): SetChange {
    const behind = like !== this && !this.caughtUp.has(chain);
    const { requests, done } = this.change((family) => {
      const keys = [...keysOf(addresses, family), ...(behind ? like.keysUnder(family, chain) : [])];
      return [...new Map(keys.map((key) => [toHex(key), key])).values()];
    }, chain);
    return {
      requests,
      done: () => {
        done();
        this.caughtUp.add(chain);
      },
    };
  }

  close(addresses: readonly AddressPlace[]): SetChange {
    return this.change((family) => keysOf(addresses, family), undefined);
  }

  private forget(deadline: string): void {
    this.deadlines.delete(deadline);
    this.timers.delete(deadline);
  }

  private keysUnder(family: Guarded, chain: string): readonly Uint8Array[] {
    return [...of(this.open, family).values()].filter((each) => each.chain === chain).map(({ key }) => key);
  }

  /** Takes out what is open otherwise, and puts in what is to be open under `chain`. */
  private change(keysToChange: (family: Guarded) => readonly Uint8Array[], chain: string | undefined): SetChange {
    const requests: Request[] = [];
    const steps: (() => void)[] = [];
    for (const family of this.table.families) {
      const open = of(this.open, family);
      const keys = keysToChange(family).filter((key) => chain === undefined || open.get(toHex(key))?.chain !== chain);
      const present = keys.filter((key) => open.has(toHex(key)));
      requests.push(...deleteElements(this.table.name, OPEN[family], present));
      if (chain !== undefined) requests.push(...addElements(this.table.name, OPEN[family], keys, { chain }));
      steps.push(() => {
        for (const key of keys)
          if (chain === undefined) open.delete(toHex(key));
          else open.set(toHex(key), { key, chain });
      });
    }
    return { requests, done: () => steps.forEach((step) => step()) };
  }
}

function timerOf(table: TableName, deadline: string): DeadlineTimer {
  const clearing = [
    ...addElements(table, deadline, DEADLINE_KEYS, { timeoutMs: PASSING_MS }),
    ...deleteElements(table, deadline, DEADLINE_KEYS),
  ];
  const encode = elementsWithTimeout(table, deadline, DEADLINE_KEYS);
  return (timeoutMs) => [...clearing, { type: NFT_MSG_NEWSETELEM, flags: NLM_F_CREATE, payload: encode(timeoutMs) }];
}

function of<V>(part: ReadonlyMap<Guarded, Map<string, V>>, family: Guarded): Map<string, V> {
  return part.get(family) ?? new Map<string, V>();
}

function read(nft: Nftables, table: FenceTable, set: string): Keys {
  return new Map(nft.elements(table.name, set).map(({ key }) => [toHex(key), key]));
}

function keysIn(entries: readonly (readonly [string, Uint8Array])[]): readonly Uint8Array[] {
  return entries.map(([, key]) => key);
}

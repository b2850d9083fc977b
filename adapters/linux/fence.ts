// The fence over nftables: guarded addresses are dropped unless the kernel itself still counts down for them.
//
// Why hold() needs two transactions. A timeout is relative: it starts when the kernel takes it, and between our reading
// of the clock and that moment this process may be frozen for any time. So we first put an element with a short timeout
// into the set `armed`, then read the clock, then delete that element in the same transaction that opens the addresses.
// If we were frozen for longer than the short timeout, the element is gone, the deletion fails, and with it the whole
// transaction. If it succeeds, it began at most ARMED_MS after the element was put there, hence at most ARMED_MS after
// the clock was read, and the addresses close at most at now + ARMED_MS + timeout < until.
//
// Ownership: the tables belong to our netlink socket (nobody else can change or flush them) and persist when it closes.

import { VipdError } from "../../src/base/errors.ts";
import { elapsedMs } from "../../src/base/time.ts";
import type { Instant } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Fence, FenceInfo, HoldResult } from "../../src/ports/host.ts";
import { be32, toHex } from "../../src/wire/bytes.ts";
import { formatIp } from "../../src/wire/ip.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import { EEXIST, ENOENT, EPERM, kernelError } from "./errors.ts";
import { ARMED, fenceParts, GUARDED, linksToFence, OPEN } from "./fence-layout.ts";
import type { Part } from "./fence-layout.ts";
import { buildFence } from "./fence-build.ts";
import type { Standing } from "./fence-build.ts";
import { addElements, closeIn, deleteElements, deleteTable, openIn } from "./fence-messages.ts";
import { describeFence, OWNED, probeFence } from "./fence-probe.ts";
import type { FenceKind } from "./fence-probe.ts";
import { Nftables } from "./nftables.ts";

/** How much before `until` a hold may end, and how long it may take between its two transactions. */
export const ARM_MS = 100;

/** Timeout of the armed element: less than ARM_MS, so that what the kernel itself needs inside a transaction is paid for. */
const ARMED_MS = 80;

/** Less open time than this is not worth a transaction. */
const MIN_OPEN_MS = 20;

/** Longest open time, in milliseconds: far beyond any lease, and well inside the kernel's arithmetic. */
const MAX_OPEN_MS = 7 * 24 * 3600 * 1000;

/** How often a hold begins anew when an element expired in the middle of its own transaction (old kernels). */
const HOLD_ATTEMPTS = 3;

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
  /** For tests: runs between the steps of hold(), where a process may be frozen. */
  readonly pause?: (step: "armed" | "clock-read") => void;
  /** For tests: false does as on kernels without owned, persistent tables (before 6.9). */
  readonly ownable?: boolean;
}

/**
 * Finds out what this kernel can carry, and makes the fence's object; nothing is in force before protect().
 * Throws "fence" when another living process owns the fence, "privilege" without CAP_NET_ADMIN.
 */
export function createFence(options: FenceOptions, deps: FenceDeps): Fence {
  const nft = new Nftables();
  try {
    const kind = probeFence(nft, options.mode, options.table, deps.ownable ?? true);
    const fence = new KernelFence(kind, fenceParts(kind.kind, options.table), nft, deps);
    fence.refuseForeignOwner();
    return fence;
  } catch (error) {
    nft.close();
    throw error;
  }
}

class KernelFence implements Fence {
  readonly info: FenceInfo;
  readonly #kind: FenceKind;
  readonly #parts: readonly [Part, ...Part[]];
  readonly #nft: Nftables;
  readonly #deps: FenceDeps;
  #standing: Standing | undefined;
  /** Key of the next armed element. Begins at the clock, so that it differs from those of an earlier process. */
  #nextArm: number;

  constructor(kind: FenceKind, parts: readonly [Part, ...Part[]], nft: Nftables, deps: FenceDeps) {
    this.info = describeFence(kind);
    this.#kind = kind;
    this.#parts = parts;
    this.#nft = nft;
    this.#deps = deps;
    this.#nextArm = Math.floor(deps.clock.now() * 1000) % 0x1_0000_0000;
  }

  /** Throws "fence" when a table belongs to another living process. */
  refuseForeignOwner(): void {
    for (const part of this.#parts) {
      const owner = this.#nft.table(part.name)?.owner;
      if (owner === undefined || owner === this.#nft.port) continue;
      const context = { table: part.name.table, owner };
      throw new VipdError("fence", `another process owns the fence (netlink port ${owner})`, context);
    }
  }

  protect(addresses: readonly VipAddress[]): void {
    this.refuseForeignOwner();
    for (let attempt = 1; ; attempt++) {
      const links = linksToFence(this.#deps.links(), addresses);
      const { requests, inspect } = buildFence(this.#nft, this.#parts, this.#kind.flags, links, addresses);
      const outcome = this.#nft.commit(requests);
      if (outcome.done) {
        this.#standing = inspect();
        return;
      }
      // Before 6.16 a chain needs its interface, which may go between the look and the change: look again.
      if (outcome.errno !== ENOENT || attempt === PROTECT_ATTEMPTS) this.#fail("protect", outcome.errno);
    }
  }

  hold(addresses: readonly VipAddress[], until: Instant): HoldResult {
    for (let attempt = 1; attempt <= HOLD_ATTEMPTS; attempt++) {
      const result = this.#holdOnce(addresses, until);
      if (result !== "again") return { kind: result };
    }
    throw new VipdError("fence", "elements kept expiring while the fence was being opened", {
      attempts: HOLD_ATTEMPTS,
    });
  }

  close(addresses: readonly VipAddress[]): void {
    const outcome = this.#nft.commit(this.#parts.flatMap((part) => closeIn(part, addresses)));
    // What is not there is closed for good or not fenced at all: intact() tells.
    if (!outcome.done && outcome.errno !== ENOENT) this.#fail("close", outcome.errno);
  }

  open(): readonly string[] {
    const [part] = this.#parts;
    return part.families.flatMap((family) =>
      this.#nft.elements(part.name, OPEN[family]).map(({ key }) => formatIp(key)),
    );
  }

  intact(): boolean {
    const standing = this.#standing;
    if (standing === undefined) return false;
    return this.#tablesStand(standing) && this.#chainsStand(standing) && this.#guardsStand(standing);
  }

  remove(): void {
    this.refuseForeignOwner();
    const present = this.#parts.filter((part) => this.#nft.table(part.name) !== undefined);
    const outcome = this.#nft.commit(present.map((part) => deleteTable(part.name)));
    if (!outcome.done && outcome.errno !== ENOENT) this.#fail("remove", outcome.errno);
    this.#standing = undefined;
  }

  release(): void {
    this.#nft.close();
  }

  #holdOnce(addresses: readonly VipAddress[], until: Instant): HoldResult["kind"] | "again" {
    if (addresses.length === 0) return "open";
    const [first] = this.#parts;
    // Between arming and the commit every millisecond counts.
    const opening = this.#parts.map((part) => openIn(part, addresses));
    const key = this.#arm();
    this.#deps.pause?.("armed");
    const timeoutMs = Math.min(Math.floor(elapsedMs(this.#deps.clock.now(), until) - ARM_MS), MAX_OPEN_MS);
    if (timeoutMs < MIN_OPEN_MS) return "too-late";
    this.#deps.pause?.("clock-read");
    const outcome = this.#nft.commit([
      ...deleteElements(first.name, ARMED.name, [key]),
      ...opening.flatMap((open) => open(timeoutMs)),
    ]);
    if (outcome.done) return "open";
    if (outcome.errno !== ENOENT) return this.#fail("hold", outcome.errno);
    return outcome.at === 0 ? "too-late" : "again";
  }

  #arm(): Uint8Array {
    const [first] = this.#parts;
    const key = be32(this.#nextArm);
    this.#nextArm = (this.#nextArm + 1) % 0x1_0000_0000;
    const outcome = this.#nft.commit(addElements(first.name, ARMED.name, [key], ARMED_MS, true));
    if (outcome.done) return key;
    // A key of an earlier process that has not run out yet: few, and gone within ARMED_MS.
    if (outcome.errno === EEXIST) return this.#arm();
    return this.#fail("arm", outcome.errno);
  }

  #tablesStand(standing: Standing): boolean {
    return [...standing.tables].every(([part, handle]) => {
      const table = this.#nft.table(part.name);
      const owned = this.#kind.flags !== OWNED || table?.owner === this.#nft.port;
      return owned && table?.handle === handle;
    });
  }

  #chainsStand(standing: Standing): boolean {
    return standing.chains.every((wanted) => {
      const chain = this.#nft.chain(wanted.part.name, wanted.name);
      return chain?.handle === wanted.handle && chain.use === wanted.use && chain.devices.join() === wanted.devices;
    });
  }

  #guardsStand(standing: Standing): boolean {
    return this.#parts.every((part) =>
      part.families.every((family) => {
        const present = this.#nft.elements(part.name, GUARDED[family]);
        const wanted = standing.guarded.get(family) ?? new Set();
        return present.length === wanted.size && present.every(({ key }) => wanted.has(toHex(key)));
      }),
    );
  }

  #fail(what: string, errno: number): never {
    if (errno === EPERM) this.refuseForeignOwner();
    if (errno === ENOENT)
      throw new VipdError("fence", `${what}: the fence is gone from the kernel`, { call: what, errno });
    throw kernelError(`nftables ${what}`, errno);
  }
}

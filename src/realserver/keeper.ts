// Makes this host a real server of VIPs, and undoes it. One function does all changes: from what is kept to what is wanted,
// each time in the same order, so that the VIP is never on lo without the silence around it:
//
//   1. the record: what is wanted, what is to go, and what the settings were before
//   2. the silence, around what comes and what goes
//   3. the ARP settings of the interfaces
//   4. the addresses of lo: off with what goes, on with what comes
//   5. the settings that nobody needs any more, back to what they were
//   6. the silence around what is gone, away; then the record again
//
// Each step may be done twice, so that after a crash at any of them the next change, or the same one again, ends well.

import type {
  HostAddress,
  PlacedAddress,
  RealServer,
  RealServerKernel,
  RealServerOutcome,
  RealServers,
  RealServerState,
  ServeFailure,
} from "../ports/real-server.ts";
import { MAX_REAL_SERVERS } from "../base/bounds.ts";
import { linksInNeed, raise, type ReadSettings, restore, type SettingPlan, sysctlName } from "./settings.ts";
import type { KeptNamespace, KeptServer, KeptSetting } from "./record.ts";
import { addressesOf, sameServer, troublesOf, without } from "./servers.ts";

/** What is kept, wherever that is. */
export interface RecordKeeper {
  /** Of this boot and network namespace. */
  readonly current: KeptNamespace;
  /** Names that are down by hand. */
  readonly down: readonly string[];
  /** Keeps both, or throws "state-dir" and keeps what was. */
  keep(current: KeptNamespace, down: readonly string[]): void;
}

/** What the real servers of a host work with. */
export interface RealServersDeps {
  readonly kernel: RealServerKernel;
  readonly keeper: RecordKeeper;
  /** Frees kernel and lock. */
  readonly close: () => void;
}

/** The real servers of this host. */
export function realServers(deps: RealServersDeps): RealServers {
  return new Keeper(deps);
}

/** What a change came to. */
interface ChangeOutcome {
  readonly remarks: readonly string[];
  /** Addresses that a vipd has begun to guard meanwhile, and that were not put on lo. */
  readonly guarded: readonly HostAddress[];
  readonly failures: readonly ServeFailure[];
}

class Keeper implements RealServers {
  readonly #deps: RealServersDeps;
  constructor(deps: RealServersDeps) {
    this.#deps = deps;
  }

  up(server: RealServer, by: KeptServer["by"]): RealServerOutcome {
    const { kernel, keeper } = this.#deps;
    const others = othersThan(server, by, keeper.current.servers);
    const reason = this.#refusal(server, kernel.addresses(), kernel.guarded(), others) ?? this.#missingLink(server);
    if (reason !== undefined) return { kind: "refused", reason };
    const before = keeper.current.servers;
    const wanted = [...others, keptOf(server, by)];
    if (by === "hand" && wanted.length > MAX_REAL_SERVERS)
      return { kind: "refused", reason: `this host is a real server of ${MAX_REAL_SERVERS} VIPs already` };
    const downBefore = keeper.down;
    const down = downBefore.filter((name) => name !== server.name);
    const isSame = before.some((other) => sameServer(other, server)) && downBefore.length === down.length;
    const isWhole = isSame && this.#troubles(before).get(server.name) === undefined;
    const { remarks, guarded, failures } = this.#changeOrUndo(wanted, down);
    const failure = failures.find(({ ip }) => server.addresses.some((address) => address.ip === ip));
    if (guarded.length === 0 && failure === undefined) return { kind: isWhole ? "unchanged" : "changed", remarks };
    this.#change(before, downBefore);
    return { kind: "refused", reason: guarded.length > 0 ? guardedReason(guarded) : (failure?.message ?? "") };
  }

  down({ name, addresses }: Pick<RealServer, "name" | "addresses">, by: KeptServer["by"]): RealServerOutcome {
    const { keeper } = this.#deps;
    const { servers, leaving } = keeper.current;
    const server = servers.find((other) => other.name === name);
    const own = new Set([...addresses, ...(server?.addresses ?? [])].map(({ ip }) => ip));
    const isOwn = ({ ip }: HostAddress): boolean => own.has(ip);
    const isDown = keeper.down.includes(name);
    if (server === undefined && !leaving.some(isOwn)) {
      const remarks = this.#restoreHeld();
      if (remarks !== undefined) return { kind: "changed", remarks };
      if (isDown) return { kind: "unchanged", remarks: [] };
      if (by === "hand") return { kind: "refused", reason: `this host is no real server of ${name}` };
    }
    const stays = by === "file" || server?.by === "file";
    const down = stays && !isDown ? [...keeper.down, name] : keeper.down;
    const { remarks } = this.#change(
      servers.filter((other) => other !== server),
      down,
    );
    const left = keeper.current.leaving.filter(isOwn);
    if (left.length > 0) return { kind: "refused", reason: leftReason(left) };
    return { kind: "changed", remarks };
  }

  follow(servers: readonly RealServer[]): readonly string[] {
    const { kernel, keeper } = this.#deps;
    const kept = keeper.current.servers;
    const [placed, guarded] = [kernel.addresses(), kernel.guarded()];
    const wanted = servers.filter(({ name }) => !keeper.down.includes(name));
    const byHand = wanted.reduce<readonly KeptServer[]>(
      (left, server) => othersThan(server, "file", left),
      kept.filter(({ by }) => by === "hand"),
    );
    const able = wanted.filter(
      (server) =>
        kept.some((other) => sameServer(other, server)) || this.#refusal(server, placed, guarded, byHand) === undefined,
    );
    const known = new Set(servers.map(({ name }) => name));
    const down = keeper.down.filter((name) => known.has(name));
    return this.#change([...byHand, ...able.map((server) => keptOf(server, "file"))], down).remarks;
  }

  look(servers: readonly RealServer[]): readonly RealServerState[] {
    const { kernel, keeper } = this.#deps;
    const { servers: kept, leaving } = keeper.current;
    const troubles = this.#troubles(kept);
    const up = kept.map((server): RealServerState => ({
      ...server,
      state: "up",
      trouble: troubles.get(server.name) ?? null,
    }));
    const missing = servers.filter(({ name }) => !kept.some((other) => other.name === name));
    if (missing.length === 0 && leaving.length === 0) return up;
    const [placed, guarded] = [kernel.addresses(), kernel.guarded()];
    const others = missing.map((server): RealServerState => {
      const down = keeper.down.includes(server.name);
      const trouble = down ? null : (this.#refusal(server, placed, guarded) ?? "it has not been brought up yet");
      return { ...server, by: "file", state: "down", trouble };
    });
    return [...up, ...others, ...leaving.map(leavingState)];
  }

  close(): void {
    this.#deps.close();
  }

  /** Why this host must not be such a real server now. */
  #refusal(
    { name, addresses }: RealServer,
    placed: readonly PlacedAddress[],
    guarded: readonly string[],
    others: readonly KeptServer[] = this.#deps.keeper.current.servers,
  ): string | undefined {
    const taken = addresses.filter(({ ip }) => guarded.includes(ip));
    if (taken.length > 0) return guardedReason(taken);
    for (const { ip } of addresses) {
      const bound = placed.find((other) => other.ip === ip && other.interface !== "lo");
      if (bound !== undefined)
        return `${ip} is on ${bound.interface}, where this host answers for it: ip address delete ${ip} dev ${bound.interface}, or make another host the real server`;
      const other = others.find((each) => each.name !== name && each.addresses.some((address) => address.ip === ip));
      if (other !== undefined) return `this host is a real server under ${ip} already, as ${other.name}`;
    }
    return undefined;
  }

  /** What a daemon waits for, a person is told of. */
  #missingLink(server: RealServer): string | undefined {
    const missing = linksInNeed([server]).find((link) => this.#deps.kernel.arpSettings(link) === undefined);
    return missing === undefined ? undefined : `there is no interface ${missing}`;
  }

  #troubles(servers: readonly KeptServer[]): ReadonlyMap<string, string> {
    const { kernel } = this.#deps;
    const [placed, silenced, guarded] = [kernel.addresses(), kernel.silenced(), kernel.guarded()];
    return troublesOf(servers, {
      placed,
      silenced,
      guarded,
      refused: new Map(this.#deps.keeper.current.refused.map(({ ip, message }) => [ip, message])),
      read: (link) => kernel.arpSettings(link),
    });
  }

  /** A change that fails leaves what was before; what cannot be taken back is kept as such. */
  #changeOrUndo(wanted: readonly KeptServer[], down: readonly string[]): ChangeOutcome {
    const { kernel, keeper } = this.#deps;
    const [before, downBefore] = [keeper.current, keeper.down];
    try {
      return this.#change(wanted, down);
    } catch (error) {
      try {
        this.#change(before.servers, downBefore);
      } catch {
        const isOnLo = ({ ip }: HostAddress): boolean =>
          kernel.addresses().some((other) => other.ip === ip && other.interface === "lo");
        const { leaving, settings } = keeper.current;
        const isSet = (each: KeptSetting): boolean =>
          before.settings.includes(each) || kernel.arpSettings(each.index)?.values[each.setting] === each.set;
        const left = { leaving: leaving.filter(isOnLo), settings: settings.filter(isSet), refused: before.refused };
        keeper.keep({ servers: before.servers, ...left }, downBefore);
      }
      throw error;
    }
  }

  #change(wanted: readonly KeptServer[], down: readonly string[]): ChangeOutcome {
    const { kernel, keeper } = this.#deps;
    const { servers: before, leaving: stale, settings: settingsBefore } = keeper.current;
    const read: ReadSettings = (link) => kernel.arpSettings(link);
    const coming = addressesOf(wanted);
    const leaving = without([...stale, ...addressesOf(before)], coming);
    const links = linksInNeed(wanted);
    const raised = raise(links, settingsBefore, read);
    keeper.keep({ servers: [...wanted], leaving: [...leaving], settings: [...raised.kept], refused: [] }, down);
    this.#silence([...coming, ...leaving]);
    this.#write(raised);
    kernel.withdraw(leaving);
    // A vipd may have begun to guard one since the refusals were asked for.
    const taken = new Set(kernel.guarded());
    const failures = kernel.serve(coming.filter(({ ip }) => !taken.has(ip)));
    const refused = failures.map(({ ip, message }) => ({ ip, message }));
    const onLo = kernel.addresses().filter((address) => address.interface === "lo");
    const left = leaving.filter(({ ip }) => onLo.some((other) => other.ip === ip));
    const foreign = without(
      onLo.filter(({ served }) => served),
      [...coming, ...leaving],
    );
    // Nobody knows any more on which interfaces these are asked for: every setting stays until the last of them is gone.
    const isHeld = [...left, ...foreign].some(({ family }) => family === 4);
    const restored = isHeld ? { ...raised, writes: [], remarks: [] } : restore(links, raised.kept, read);
    this.#write(restored);
    this.#silence([...coming, ...left]);
    keeper.keep({ servers: [...wanted], leaving: [...left], settings: [...restored.kept], refused }, down);
    const served = new Set(onLo.map(({ ip }) => ip));
    const guarded = coming.filter(({ ip }) => taken.has(ip) && !served.has(ip));
    const held = isHeld ? heldRemarks(restored.kept, links, foreign, read) : [];
    return {
      remarks: [...restored.remarks, ...(left.length > 0 ? [leftReason(left)] : []), ...held],
      guarded,
      failures,
    };
  }

  /** Puts back settings that stayed for the addresses of another state directory; `undefined`: there are none to put back. */
  #restoreHeld(): readonly string[] | undefined {
    const { keeper } = this.#deps;
    const before = keeper.current.settings.length;
    if (before === 0) return undefined;
    const { remarks } = this.#change(keeper.current.servers, keeper.down);
    return keeper.current.settings.length < before ? remarks : undefined;
  }

  /** What another state directory has put on lo stays silent, too. */
  #silence(addresses: readonly HostAddress[]): void {
    const { kernel } = this.#deps;
    const silent = kernel.silenced();
    const others = kernel.addresses().filter(({ ip, interface: name, served }) => {
      return served && name === "lo" && silent.includes(ip);
    });
    const all = [...addresses, ...without(others, addresses)].map(({ family, ip }) => ({ family, ip }));
    const wanted = new Set(all.map(({ ip }) => ip));
    if (wanted.size === silent.length && silent.every((ip) => wanted.has(ip))) return;
    kernel.silence(all);
  }

  #write({ writes }: SettingPlan): void {
    for (const { index, setting, value } of writes) this.#deps.kernel.setArp(index, setting, value);
  }
}

/** Those that stay beside a server: one by hand gives way to one of the file that has its addresses. */
function othersThan(
  { name, addresses }: RealServer,
  by: KeptServer["by"],
  servers: readonly KeptServer[],
): readonly KeptServer[] {
  return servers.filter(
    (other) =>
      other.name !== name && (by === "hand" || other.by === "file" || without(other.addresses, addresses).length > 0),
  );
}

function keptOf({ name, addresses, interfaces }: RealServer, by: KeptServer["by"]): KeptServer {
  return { name, by, addresses: addresses.map(({ family, ip }) => ({ family, ip })), interfaces: [...interfaces] };
}

function guardedReason(addresses: readonly HostAddress[]): string {
  const ips = addresses.map(({ ip }) => ip).join(", ");
  return `a vipd of this host is a candidate for ${ips}, and guards it: as the holder it must answer for the address, as a real server it must never; make another host, or another network namespace, the real server`;
}

function leftReason(addresses: readonly HostAddress[]): string {
  const ips = addresses.map(({ ip }) => ip).join(", ");
  return `${ips} is on lo still, put there by something else: it stays silent; ip address delete ${addresses[0]?.ip ?? ""} dev lo, then once more`;
}

/** Of settings that nobody here needs any more, and that stay for addresses of another state directory. */
function heldRemarks(
  kept: readonly KeptSetting[],
  links: readonly string[],
  foreign: readonly HostAddress[],
  read: ReadSettings,
): readonly string[] {
  const ips = foreign.flatMap(({ family, ip }) => (family === 4 ? [ip] : []));
  const needed = new Set(links.map((link) => read(link)?.index));
  const spare = kept.filter(({ index }) => !needed.has(index));
  if (ips.length === 0 || spare.length === 0) return [];
  const names = spare.map((each) => sysctlName(read(each.index)?.name ?? each.interface, each.setting)).join(", ");
  return [
    `${ips.join(", ")} is on lo for a real server of another state directory: ${names} stay as they are; take this one down once more when the other one is down`,
  ];
}

function leavingState({ family, ip }: HostAddress): RealServerState {
  const address = { family, ip };
  return {
    name: ip,
    by: "hand",
    addresses: [address],
    interfaces: [],
    state: "down",
    trouble: leftReason([address]),
  };
}

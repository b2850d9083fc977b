// Questions about real servers and the kernel that carries them. Pure.

import type { HostAddress, PlacedAddress, RealServer } from "../ports/real-server.ts";
import { LEAST, type ReadSettings, sysctlName } from "./settings.ts";

/** The addresses of all of them, each once. */
export function addressesOf(servers: readonly RealServer[]): readonly HostAddress[] {
  const all = servers.flatMap(({ addresses }) => addresses);
  return [...new Map(all.map(({ family, ip }) => [ip, { family, ip }])).values()];
}

/** The addresses of one list that the other has not, each once. */
export function without(addresses: readonly HostAddress[], others: readonly HostAddress[]): readonly HostAddress[] {
  const taken = new Set(others.map(({ ip }) => ip));
  return [...new Map(addresses.map(({ family, ip }) => [ip, { family, ip }])).values()].filter(
    ({ ip }) => !taken.has(ip),
  );
}

/** Whether two are the same in all that the kernel sees. */
export function sameServer(one: RealServer, other: RealServer): boolean {
  return one.name === other.name && textOf(one) === textOf(other);
}

function textOf({ addresses, interfaces }: RealServer): string {
  return JSON.stringify([addresses.map(({ ip }) => ip).toSorted(), interfaces.toSorted()]);
}

/** What the kernel shows. */
export interface KernelView {
  readonly placed: readonly PlacedAddress[];
  readonly silenced: readonly string[];
  readonly guarded: readonly string[];
  /** By address, why lo refused it. */
  readonly refused: ReadonlyMap<string, string>;
  readonly read: ReadSettings;
}

/** By name, what keeps a real server from its work, or from being silent. */
export function troublesOf(servers: readonly RealServer[], view: KernelView): ReadonlyMap<string, string> {
  return new Map(
    servers.flatMap((server): readonly (readonly [string, string])[] => {
      const trouble = addressTrouble(server, view) ?? settingTrouble(server, view);
      return trouble === undefined ? [] : [[server.name, trouble]];
    }),
  );
}

function addressTrouble({ addresses }: RealServer, view: KernelView): string | undefined {
  for (const { ip } of addresses) {
    if (!view.silenced.includes(ip)) return `the rules that keep this host silent about ${ip} are gone`;
    if (view.guarded.includes(ip)) return `a vipd of this host guards ${ip}: its traffic is dropped`;
    const places = view.placed.filter((other) => other.ip === ip).map((other) => other.interface);
    if (!places.includes("lo")) return view.refused.get(ip) ?? `${ip} is not on lo`;
    const elsewhere = places.find((name) => name !== "lo");
    if (elsewhere !== undefined) return `${ip} is on ${elsewhere}, too`;
  }
  return undefined;
}

function settingTrouble({ addresses, interfaces }: RealServer, { read }: KernelView): string | undefined {
  if (!addresses.some(({ family }) => family === 4)) return undefined;
  for (const link of interfaces) {
    const found = read(link);
    if (found === undefined) return `there is no interface ${link}`;
    for (const setting of ["arpIgnore", "arpAnnounce"] as const)
      if (found.values[setting] < LEAST[setting])
        return `${sysctlName(link, setting)} is ${found.values[setting]}, and must be ${LEAST[setting]} or more`;
  }
  return undefined;
}

// A configuration file held against the host that it is for: what the file alone does not show.

import { messageOf } from "../base/errors.ts";
import { hasSecret } from "../base/store-url.ts";
import { hostConflicts, leftoverRemark } from "../config/host-conflicts.ts";
import type { Config } from "../config/types.ts";
import type { HostFacts } from "../config/parse.ts";
import type { BoundAddress } from "../ports/host.ts";
import { type ConfigFileDeps, loadConfig } from "./config-file.ts";

/** Who else may read or write a file. */
export interface Exposure {
  readonly othersRead: boolean;
  readonly othersWrite: boolean;
}

/** A host's interfaces, by name, and its addresses. */
export interface HostNetwork {
  readonly addresses: readonly BoundAddress[];
  readonly links: readonly string[];
}

/** What is looked up on the host; each may reject when the host does not tell. */
export interface HostLook {
  exposureOf(path: string): Promise<Exposure>;
  /** The names of its groups. */
  groups(): Promise<ReadonlySet<string>>;
  /** What keeps vipd from trusting a directory, and what would be right. */
  readonly directoryTrouble: NonNullable<HostFacts["directoryTrouble"]>;
  network(): Promise<HostNetwork>;
}

/** What checking a file needs. */
export interface CheckDeps extends ConfigFileDeps {
  readonly look: HostLook;
}

/** Something that will do, but should be mended. */
export interface Remark {
  readonly text: string;
  readonly fix: string;
}

/** A file without mistakes. */
export interface CheckedFile {
  readonly config: Config;
  readonly remarks: readonly Remark[];
}

/** Reads a configuration and holds it against this host. Throws VipdError "config" as `loadConfig` does. */
export async function checkFile(file: string, deps: CheckDeps): Promise<CheckedFile> {
  const { look } = deps;
  const remarks: Remark[] = [];
  const ask = async <T>(what: string, answer: Promise<T>): Promise<T | undefined> =>
    answer.catch((error: unknown) => {
      remarks.push({ text: `${what} could not be looked at: ${messageOf(error)}`, fix: "check again as root" });
      return undefined;
    });
  const [network, groups] = await Promise.all([
    ask("this host's addresses", look.network()),
    ask("/etc/group", look.groups()),
  ]);
  const config = await loadConfig(file, deps, {
    ...(network === undefined ? {} : { addresses: network.addresses }),
    ...(groups === undefined ? {} : { groups }),
    directoryTrouble: (path) => look.directoryTrouble(path),
  });
  const exposed = await Promise.all(filesOf(file, config, deps).map((each) => exposure(each, look)));
  return { config, remarks: [...remarks, ...exposed.flat(), ...networkRemarks(config, network)] };
}

interface NamedFile {
  readonly path: string;
  readonly what: string;
  readonly isSecret: boolean;
}

function filesOf(file: string, { store: url, vips }: Config, { stores }: CheckDeps): readonly NamedFile[] {
  const store = url ?? "";
  const hasPassword = vips.some(({ vrrp }) => vrrp?.authentication.kind === "password");
  const scheme = store.slice(0, store.indexOf(":")).toLowerCase();
  const secrets = stores.find(({ schemes }) => schemes.includes(scheme))?.secretFiles(store) ?? [];
  return [
    { path: file, what: "the configuration", isSecret: hasSecret(store) || hasPassword },
    ...secrets.map((path) => ({ path, what: "a secret of the store", isSecret: true })),
  ];
}

async function exposure({ path, what, isSecret }: NamedFile, look: HostLook): Promise<readonly Remark[]> {
  // What cannot be read has been a mistake of the file before.
  const found = await look.exposureOf(path).catch(() => undefined);
  if (found === undefined) return [];
  const { othersRead, othersWrite } = found;
  const read =
    isSecret && othersRead
      ? [{ text: `others may read ${path}, which holds ${holds(what)}`, fix: `chmod o-rwx ${path}` }]
      : [];
  const write = othersWrite ? [{ text: `others may write to ${path}, ${what}`, fix: `chmod go-w ${path}` }] : [];
  return [...read, ...write];
}

function holds(what: string): string {
  return what === "the configuration" ? "the password of the store" : what;
}

function networkRemarks(config: Config, network: HostNetwork | undefined): readonly Remark[] {
  if (network === undefined) return [];
  const wanted = config.vips.flatMap(({ addresses }) => addresses);
  const leftovers = [...hostConflicts(wanted, network.addresses).values()].filter(({ kind }) => kind === "leftover");
  return [...missingLinks(config, network.links), ...leftovers.map(({ bound }) => leftoverOf(bound))];
}

function leftoverOf(bound: BoundAddress): Remark {
  const fix = "stop keepalived, or whatever has bound it, before vipd starts";
  return { text: leftoverRemark(bound), fix };
}

function missingLinks({ vips }: Config, links: readonly string[]): readonly Remark[] {
  const known = new Set(links);
  return vips.flatMap(({ name, addresses }) => {
    const missing = addresses.map((address) => address.interface).find((each) => !known.has(each));
    const text = `vips.${name}: this host has no interface ${missing ?? ""}: the VIP stands back until there is one`;
    return missing === undefined ? [] : [{ text, fix: `make it, or use one of ${links.join(", ")}` }];
  });
}

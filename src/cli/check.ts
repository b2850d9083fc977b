// A configuration file held against the host that it is for: what the file alone does not show.

import { messageOf } from "../base/errors.ts";
import { hasSecret, storeScheme } from "../base/store-url.ts";
import type { VrrpAuthentication } from "../base/vrrp.ts";
import { hostConflicts, leftoverRemark } from "../config/host-conflicts.ts";
import { wireInterface } from "../base/virtual-mac.ts";
import type { Config } from "../config/types.ts";
import type { HostFacts } from "../config/parse.ts";
import { formatPath } from "../config/issue.ts";
import type { Wrong } from "../config/leaf.ts";
import { fileTrouble, type NamedFile } from "../config/named-files.ts";
import type { BoundAddress } from "../ports/host.ts";
import { type ConfigFileDeps, loadWhole, type WholeConfig } from "./config-file.ts";

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
  /** Reads a regular file within MAX_SECRET_BYTES. */
  readSecret(path: string): Uint8Array;
  readonly exists: NonNullable<HostFacts["exists"]>;
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

/** Something that will do, but should be fixed. */
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
  // Files that another user alone may read are not known.
  const troubleOf = (named: NamedFile): Wrong | undefined => {
    const trouble = fileTrouble(named, (path) => look.readSecret(path));
    if (trouble?.isDenied !== true) return trouble;
    remarks.push({ text: `${formatPath(named.path)}: ${trouble.problem}`, fix: "check again as root" });
    return undefined;
  };
  const { config, idle, files } = await loadWhole(
    file,
    { ...deps, troubleOf },
    {
      ...(network === undefined ? {} : { addresses: network.addresses }),
      ...(groups === undefined ? {} : { groups }),
      directoryTrouble: (path) => look.directoryTrouble(path),
      exists: (path) => look.exists(path),
    },
  );
  const exposed = await Promise.all(exposable(file, { config, files }, deps).map((each) => exposure(each, look)));
  const unused = idle.map(({ path, problem, fix }) => ({ text: `${path} ${problem}`, fix }));
  return { config, remarks: [...remarks, ...unused, ...exposed.flat(), ...networkRemarks(config, network)] };
}

/** A file that others than its owner may be able to read or change. */
interface Exposable {
  readonly path: string;
  readonly what: string;
  readonly isSecret: boolean;
}

function knownStore(url: string, stores: CheckDeps["stores"]): CheckDeps["stores"][number] | undefined {
  const scheme = storeScheme(url);
  return scheme === undefined ? undefined : stores.find(({ schemes }) => schemes.includes(scheme));
}

function exposable(
  file: string,
  { config: { store: url, vips }, files }: Pick<WholeConfig, "config" | "files">,
  { stores }: CheckDeps,
): readonly Exposable[] {
  const store = url ?? "";
  const hasPassword = vips.some(({ vrrp }) => hasWrittenSecret(vrrp?.authentication));
  const secrets = knownStore(store, stores)?.secretFiles(store) ?? [];
  const named = new Map(files.map(({ file: path, what, isSecret }) => [path, { path, what, isSecret }]));
  return [
    { path: file, what: "the configuration", isSecret: hasSecret(store) || hasPassword },
    ...secrets.map((path) => ({ path, what: "a secret of the store", isSecret: true })),
    ...named.values(),
  ];
}

function hasWrittenSecret(authentication: VrrpAuthentication | undefined): boolean {
  if (authentication?.kind === "hmac") return authentication.keys.length > 0;
  return authentication?.kind === "password";
}

async function exposure({ path, what, isSecret }: Exposable, look: HostLook): Promise<readonly Remark[]> {
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
  const places = new Set(wanted.map(({ ip, interface: name }) => `${ip} ${name}`));
  const told = leftovers.map(({ bound }) => leftoverRemark(bound, !places.has(`${bound.ip} ${bound.interface}`)));
  return [...missingLinks(config, network.links), ...told];
}

function missingLinks({ vips }: Config, links: readonly string[]): readonly Remark[] {
  const known = new Set(links);
  return vips.flatMap(({ name, addresses, routing = [] }) => {
    const routed = routing.flatMap((entry) => (entry.kind === "route" ? (entry.interface ?? []) : []));
    const missing = [...addresses.map(wireInterface), ...routed].find((each) => !known.has(each));
    const text = `vips.${name}: this host has no interface ${missing ?? ""}: the VIP stands back until there is one`;
    return missing === undefined ? [] : [{ text, fix: `make it, or use one of ${links.join(", ")}` }];
  });
}

// Where vipctl gets its view of the fleet: from the daemon of this host when there is one, else straight from the store.

import { type AdminClient, adminFailure } from "../admin/client.ts";
import type { ElectionView, FleetView, HistoryView, StatusView } from "../admin/views.ts";
import { messageOf, VipdError } from "../base/errors.ts";
import { DEFAULT_CONFIG_FILE, DEFAULT_SOCKET } from "../base/paths.ts";
import { hasSecret } from "../base/store-url.ts";
import type { Config } from "../config/types.ts";
import type { FleetReader, StoreWriter, VipctlDeps } from "./deps.ts";
import { escapeControl } from "./render/text.ts";

/** A daemon that has not answered by then is taken for silent, in milliseconds. */
const DAEMON_MS = 2_000;

/** The options that say where to look; all are optional. */
export interface WhereOptions {
  readonly config?: string;
  readonly socket?: string;
  readonly store?: string;
  readonly fleet?: string;
}

/** A view of the fleet, and who gives it. */
export type FleetSource =
  | { readonly kind: "daemon"; readonly client: AdminClient; readonly reader: FleetReader }
  /** `because`: why no daemon was asked; `null`: the store was asked for. */
  | { readonly kind: "store"; readonly because: string | null; readonly reader: FleetReader };

/** Whether a view comes from a daemon, with what only that knows. */
export function isStatus(view: FleetView): view is StatusView {
  return "session" in view;
}

/** Whether the daemon has released what the store, when it last answered, still gave it. */
export function isReleasedHere({ holder, role }: ElectionView, view: FleetView): boolean {
  return isStatus(view) && !view.store.ok && holder === view.node && role !== "holder";
}

/**
 * Finds the daemon or the store. Throws VipdErrors "admin" (no daemon, and no store is named), "config", and those of
 * opening a store.
 */
export async function openSource(where: WhereOptions, deps: VipctlDeps): Promise<FleetSource> {
  if (where.store !== undefined) {
    refuseSecret(where.store);
    return fromStore(where.store, where.fleet ?? "main", null, deps);
  }
  const config = where.config === undefined ? undefined : await loadConfig(where.config, deps);
  const socket = where.socket ?? config?.admin.socket ?? DEFAULT_SOCKET;
  try {
    return await fromDaemon(socket, deps);
  } catch (error) {
    const failure = adminFailure(error);
    if (failure !== "absent" && failure !== "denied" && failure !== "silent") throw error;
    const known = config ?? (where.socket === undefined ? await defaultConfig(deps) : undefined);
    if (known === undefined) throw withFix(error);
    if (config === undefined && known.admin.socket !== socket) return openSource({ config: DEFAULT_CONFIG_FILE }, deps);
    if (known.store === null) throw withoutStore(error);
    return fromStore(known.store, known.fleet, messageOf(error), deps);
  }
}

/** Every user of the host can read the arguments of a process. */
function refuseSecret(url: string): void {
  if (!hasSecret(url)) return;
  throw new VipdError(
    "store-url",
    "--store has a password, which ps shows to every user of this host: give it in the environment variable VIPD_STORE_PASSWORD, or in a file with the URL's option passwordFile",
  );
}

/** Says why the store was asked where a daemon was expected. */
export function tellDetour(source: FleetSource, { err }: VipctlDeps): void {
  if (source.kind === "store" && source.because !== null)
    err.write(`${escapeControl(source.because)}: read straight from the store\n`);
}

/** The store itself, for writing: the one that is named, or that of the configuration. Throws "config", and those of opening a store. */
export async function openStoreToWrite(where: WhereOptions, deps: VipctlDeps): Promise<StoreWriter> {
  if (where.store !== undefined) {
    refuseSecret(where.store);
    return deps.openFleetToWrite(where.store, where.fleet ?? "main");
  }
  const { store, fleet } = await loadConfig(where.config ?? DEFAULT_CONFIG_FILE, deps);
  if (store === null)
    throw new VipdError("config", "the configuration names no store: VIPs that VRRP elects have no record anywhere");
  return deps.openFleetToWrite(store, fleet);
}

/** The daemon, for what only it can do. Throws "admin" and "config". */
export async function openDaemon(where: WhereOptions, deps: VipctlDeps): Promise<AdminClient> {
  const given = where.config ?? (where.socket === undefined ? DEFAULT_CONFIG_FILE : undefined);
  const config =
    given === undefined ? undefined : await loadConfig(given, deps).catch((error: unknown) => mayMiss(where, error));
  return deps.adminClient(where.socket ?? config?.admin.socket ?? DEFAULT_SOCKET);
}

function mayMiss(where: WhereOptions, error: unknown): undefined {
  if (where.config !== undefined) throw error;
}

/** The reader of configurations is loaded only when there is one to read. */
async function loadConfig(file: string, deps: VipctlDeps): Promise<Config> {
  return (await import("./config-file.ts")).loadConfig(file, deps);
}

/** A default file that is missing or has mistakes is no reason to stop: it was not asked for. */
async function defaultConfig(deps: VipctlDeps): Promise<Config | undefined> {
  return loadConfig(DEFAULT_CONFIG_FILE, deps).catch(() => undefined);
}

async function fromDaemon(socket: string, deps: VipctlDeps): Promise<FleetSource> {
  const client = await deps.adminClient(socket);
  const limits = (signal: AbortSignal): { timeoutMs: number; signal: AbortSignal } => ({
    timeoutMs: DAEMON_MS,
    signal,
  });
  // The first view is asked for at once: only then is it known whether a daemon is there.
  let first: StatusView | undefined = await client.status(limits(deps.signal));
  const reader: FleetReader = {
    read: async (signal) => {
      const view = first ?? (await client.status(limits(signal)));
      first = undefined;
      return view;
    },
    history: async (election, signal): Promise<readonly HistoryView[]> =>
      (await client.election(election, limits(signal)))?.history ?? [],
    watch: (signal) => client.watch(limits(signal)),
    close: () => Promise.resolve(),
  };
  return { kind: "daemon", client, reader };
}

async function fromStore(url: string, fleet: string, because: string | null, deps: VipctlDeps): Promise<FleetSource> {
  try {
    return { kind: "store", because, reader: await deps.openFleet(url, fleet) };
  } catch (error) {
    if (because === null || !(error instanceof VipdError)) throw error;
    const message = `${because}; the store was asked instead: ${error.message}`;
    throw new VipdError(error.code, message, error.context, error);
  }
}

/** With VRRP nothing is written down anywhere: each daemon knows what it holds and hears. */
function withoutStore(error: unknown): VipdError {
  const fix =
    "the configuration names no store: of VIPs that are elected by VRRP the daemon alone knows; start vipd (real servers: vipctl realserver show)";
  return new VipdError("admin", `${messageOf(error)}; ${fix}`, error instanceof VipdError ? error.context : {}, error);
}

function withFix(error: unknown): VipdError {
  const message = `${messageOf(error)}; name the store with --store, or a configuration with --config, to do without`;
  return new VipdError("admin", message, error instanceof VipdError ? error.context : {}, error);
}

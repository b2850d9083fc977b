// The daemon's program: puts the parts together, and stands between them and the operating system's signals.

import { hostname } from "node:os";
import {
  bootId,
  createLinuxHost,
  type LinuxHost,
  lockFile,
  machineSleptMs,
  networkNamespace,
  peerCredentials,
} from "../../adapters/linux/index.ts";
import { adminActions } from "../node/admin-actions.ts";
import { type AdminServer, startAdminServer } from "../admin/server.ts";
import type { ElectionView, StatusView } from "../admin/views.ts";
import { messageOf } from "../base/errors.ts";
import { errorLines, loadConfig } from "../cli/config-file.ts";
import { EXIT, exitCodeOf } from "../cli/exit-codes.ts";
import { handleVipdArguments, type VipdDeps } from "../cli/vipd-arguments.ts";
import { describeDifference } from "../config/difference.ts";
import type { Config } from "../config/types.ts";
import { fileTrouble } from "../config/named-files.ts";
import { withKeyFiles } from "../config/vrrp-keys.ts";
import { openStore, STORE_ADAPTERS } from "../stores/index.ts";
import { ownSession } from "../election/session.ts";
import { Daemon } from "../node/daemon.ts";
import { openIdentity } from "../node/identity.ts";
import { type MaintenanceKeeper, openMaintenance } from "../node/maintenance.ts";
import { logStoreFindings } from "../node/store-findings.ts";
import { electionWithHistory, type StatusParts, statusView } from "../node/status.ts";
import {
  routersOf,
  statusWithoutStore,
  vrrpElectionView,
  type VrrpStatusParts,
  withVrrp,
} from "../node/vrrp-status.ts";
import type { IdentityKeeper } from "../ports/identity.ts";
import type { Store } from "../ports/store.ts";
import { isJournal, priorityPrefix } from "../runtime/journal.ts";
import { type AdjustableLogger, createLogger } from "../runtime/logger.ts";
import { systemEntropy } from "../runtime/timers.ts";
import { checkVirtualRouters, DaemonElectors, heldBy } from "./electors.ts";
import { RealServerService } from "../node/real-servers.ts";
import { refusalOf } from "../process/run.ts";
import { type HostChecks, hostChecks } from "./host-checks.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import { realServersOf } from "./real-servers.ts";
import { Receivers } from "./receivers.ts";
import { hostLook, readConfigFile, readSecretFile } from "./host-look.ts";
import { ServiceManager } from "./service-manager.ts";
import { readVersion } from "./version.ts";

/** An election's history is asked of the store within this time, which vipctl waits longer than, in milliseconds. */
const HISTORY_MS = 1_500;

/** Checks that run when the daemon stops get so long to end, in milliseconds. */
const CHECKS_STOP_MS = 3_000;

/** A daemon and what it stands on. */
interface Running {
  readonly checks: HostChecks;
  readonly receivers: Receivers;
  config: Config;
  readonly daemon: Daemon;
  readonly electors: DaemonElectors;
  readonly admin: AdminServer;
  readonly store: Store | null;
  readonly host: LinuxHost;
  readonly log: AdjustableLogger;
  readonly manager: ServiceManager;
  readonly realServers: RealServerService;
}

const deps: VipdDeps = {
  version: readVersion(),
  out: { write: (text) => void process.stdout.write(text), isTerminal: process.stdout.isTTY },
  err: { write: (text) => void process.stderr.write(text), isTerminal: process.stderr.isTTY },
  hostName: hostname(),
  stores: STORE_ADAPTERS,
  readFile: readConfigFile,
  look: hostLook,
  refusalOf,
  troubleOf: (file) => fileTrouble(file, readSecretFile),
};

/** Runs vipd with the arguments of this process, to its end. */
export async function main(): Promise<void> {
  const invocation = await handleVipdArguments(process.argv.slice(2), deps);
  if (invocation.kind === "exit") {
    process.exitCode = invocation.code;
    return;
  }
  try {
    const running = await start(await loadWhole(invocation.configFile));
    followSignals(running, invocation.configFile);
  } catch (error) {
    // The process ends at once: what was opened on the way here must not keep it.
    const prefix = isJournal(2) ? priorityPrefix("error") : "";
    for (const line of errorLines(error)) process.stderr.write(`${prefix}vipd: ${line}\n`);
    process.exit(exitCodeOf(error));
  }
}

/** With the keys of virtual routers, which the file may name files for. */
async function loadWhole(configFile: string): Promise<Config> {
  return withKeyFiles(await loadConfig(configFile, deps), readSecretFile);
}

async function start(config: Config): Promise<Running> {
  const log = await createLogger({ level: config.log.level, format: config.log.format, node: config.node });
  failLoudly(log);
  const identity = openIdentity(config, {
    entropy: systemEntropy,
    lockFile,
    bootId: bootId(),
    sleptMs: machineSleptMs,
    networkNamespace: networkNamespace(),
    uid: process.getuid?.() ?? 0,
    onTrouble: (message) => log.warn({}, message),
  });
  const host = createLinuxHost({ fence: config.fence });
  checkVirtualRouters(config, host);
  const store = config.store === null ? null : await openStore(config.store);
  const checks = hostChecks(host, log);
  const receivers = new Receivers({ timers: host.timers, startProgram: host.startProgram, log });
  (await receivers.prepare(config))();
  const maintenance = openMaintenance(config.stateDir, (message) => log.warn({}, message));
  const realServers = new RealServerService({
    timers: host.timers,
    log,
    open: (signal) => realServersOf(config.stateDir, host.timers, signal),
    changed: () => parts.daemon.noteChange(),
  });
  const parts: Parts = makeDaemon(config, { host, store, log, identity, maintenance, checks, receivers, realServers });
  const { daemon, electors } = parts;
  const admin = await openAdmin(config, parts, { host, store, log, realServers });
  const manager = new ServiceManager(process.env, (socket, text) => host.notifySystemd(socket, text));
  daemon.start();
  // Not waited for: a VIP that this host is a real server of is told by its kernel, and others must not wait for a vipctl.
  void realServers.follow(config.realServers);
  const { kind, flushProof, caveats } = host.fence.info;
  log.info(
    {
      version: deps.version,
      fleet: config.fleet,
      vips: config.vips.map((vip) => vip.name),
      fence: kind,
      flushProof,
      adopting: identity.adopt,
    },
    "vipd runs",
  );
  for (const caveat of caveats) log.debug({}, `fence: ${caveat}`);
  const { lease } = electors;
  if (store !== null && lease !== undefined)
    logStoreFindings(
      store,
      log,
      () => ownSession(lease.state) !== undefined,
      (listener) => daemon.onChange(listener),
    );
  manager.ready(
    () => summary(daemon),
    (listener) => daemon.onChange(listener),
  );
  return { config, daemon, electors, admin, store, host, log, manager, checks, receivers, realServers };
}

/** A daemon and its electors. */
interface Parts {
  readonly daemon: Daemon;
  readonly electors: DaemonElectors;
}

function makeDaemon(
  config: Config,
  parts: {
    host: LinuxHost;
    store: Store | null;
    log: AdjustableLogger;
    identity: IdentityKeeper;
    maintenance: MaintenanceKeeper;
    checks: HostChecks;
    receivers: Receivers;
    realServers: RealServerService;
  },
): Parts {
  const { host, store, log, identity, maintenance, checks, receivers, realServers } = parts;
  const { addresses, fence, packets, routing, timers } = host;
  const vips = (): Config["vips"] => daemon.running.vips;
  const electors = new DaemonElectors({ config, hostName: deps.hostName, host, store, identity, log, vips });
  const daemon: Daemon = new Daemon(config, {
    timers,
    identity,
    maintenance,
    addresses,
    fence,
    firstDeadline: Number.parseInt(systemEntropy.uniqueId().slice(0, 8), 16),
    packets,
    routing,
    monitor: (onEvent) =>
      host.monitor((event) => {
        onEvent(event);
        if (event.kind !== "routing-removed") realServers.onHostEvent(event);
      }),
    log,
    makeChecks: checks.make,
    tell: (event) => receivers.tell(event),
    makeElector: (electorHost) => electors.make(electorHost),
  });
  return { daemon, electors };
}

function openAdmin(
  config: Config,
  { daemon, electors }: Parts,
  {
    host,
    store,
    log,
    realServers,
  }: { host: LinuxHost; store: Store | null; log: AdjustableLogger; realServers: RealServerService },
): Promise<AdminServer> {
  const { version } = deps;
  const isInPlace: StatusParts["isInPlace"] = (vip, entry) => daemon.isInPlace(vip, entry);
  const parts = (): StatusParts | null =>
    store === null || config.store === null || electors.lease === undefined
      ? null
      : {
          version,
          storeUrl: config.store,
          store,
          fence: host.fence.info,
          election: electors.lease.state,
          holdings: daemon.holdings,
          eligibility: daemon.eligibility,
          now: host.clock.now(),
          debug: log.isDebug(),
          vips: daemon.running.vips,
          isInPlace,
          checks: daemon.health.states(),
          realServers: realServers.states,
          routers: routersOf(electors.vrrp),
        };
  const vrrpParts = (): VrrpStatusParts => ({
    version,
    node: config.node,
    host: deps.hostName,
    fleet: config.fleet,
    ttlMs: config.ttlMs,
    fence: host.fence.info,
    elector: electors.vrrp,
    vips: daemon.running.vips,
    isInPlace,
    checks: daemon.health.states(),
    realServers: realServers.states,
    holdings: daemon.holdings,
    eligibility: daemon.eligibility,
    now: host.clock.now(),
    debug: log.isDebug(),
  });
  const status = (): StatusView => {
    const leased = parts();
    return leased === null ? statusWithoutStore(vrrpParts()) : withVrrp(statusView(leased), vrrpParts());
  };
  const election = async (name: string): Promise<ElectionView | null> => {
    const leased = parts();
    const known = vrrpElectionView(name, vrrpParts());
    return known ?? (leased === null ? null : await electionWithHistory(leased, name, HISTORY_MS));
  };
  return startAdminServer(
    { ...config.admin, peerOf: peerCredentials },
    {
      version: () => ({ version, node: config.node, pid: process.pid }),
      status,
      election,
      ...adminActions(daemon, log),
      onChange: (listener) => daemon.onChange(listener),
    },
    new AbortController().signal,
  );
}

function followSignals(running: Running, configFile: string): void {
  const reloads = new OneAtATime((signal) => reload(running, configFile, signal));
  const stop = (signal: NodeJS.Signals): void => {
    process.removeAllListeners("SIGTERM").removeAllListeners("SIGINT").removeAllListeners("SIGHUP");
    for (const ignored of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(ignored, () => {});
    reloads.close();
    running.log.info({ signal }, "asked to stop");
    void shutDown(running);
  };
  process.on("SIGTERM", stop).on("SIGINT", stop);
  process.on("SIGUSR2", () => leave(running));
  // Without a listener Node would open its debugger, at which others of this host could take the process over.
  process.on("SIGUSR1", () => running.log.info({}, "SIGUSR1 means nothing to vipd: see `vipctl status`"));
  process.on("SIGHUP", () => reloads.request());
}

/** Ends at once and lets nothing go: the process that follows within the lease takes it up, and nothing moves. */
function leave({ log, manager }: Running): never {
  manager.stopping();
  log.info({}, "ends for a restart: the lease and the VIPs are left to the next process");
  process.exit(EXIT.ok);
}

async function shutDown(running: Running): Promise<void> {
  const { daemon, electors, admin, store, host, log, manager, checks, receivers, realServers } = running;
  manager.stopping();
  const checksStopped = checks.stop(CHECKS_STOP_MS);
  const watchEnded = realServers.close();
  await new Promise<void>((resolve) => daemon.stop(resolve));
  await receivers.stop();
  await watchEnded;
  const left = await checksStopped;
  if (left.length > 0) log.warn({ checks: left }, "these checks left processes that could not be ended");
  log.info({}, "stopped");
  await Promise.all([admin.close(), store?.close(), electors.sender.close(), electors.histories.close()]);
  host.close();
  process.exit(EXIT.ok);
}

/** Takes the file on; once `stopped` is aborted it changes nothing and says nothing. Never rejects. */
async function reload(running: Running, configFile: string, stopped: AbortSignal): Promise<void> {
  const { daemon, electors, log, manager, receivers, realServers } = running;
  manager.reloading();
  try {
    const wanted = await loadWhole(configFile);
    if (stopped.aborted) return;
    const difference = describeDifference(running.config, wanted);
    for (const { path, from, to } of difference.needsRestart)
      log.warn({ key: path, from, to }, `${path} is changed in the file: it takes effect at the next start`);
    const next: Config = {
      ...running.config,
      vips: wanted.vips,
      checks: wanted.checks,
      realServers: wanted.realServers,
      webhook: wanted.webhook,
      mail: wanted.mail,
      log: { ...running.config.log, level: wanted.log.level },
    };
    const tellThem = await receivers.prepare(next);
    if (stopped.aborted) return;
    await realServers.retire(next.realServers);
    if (stopped.aborted) return;
    if (difference.none) log.info({ file: configFile }, "the configuration is the same");
    else {
      receivers.admit(next.vips);
      daemon.reload(next);
      electors.refresh();
    }
    await realServers.follow(next.realServers);
    // Only what the host has taken on: what it refused is tried again at the next SIGHUP.
    running.config = next;
    log.setLevel(next.log.level);
    tellThem();
  } catch (error) {
    if (stopped.aborted) return;
    const lines = errorLines(error);
    log.error({ file: configFile, mistakes: lines.slice(0, -1) }, `${lines.at(-1)}: the running configuration is kept`);
    await realServers.follow(running.config.realServers);
  }
  manager.reloaded();
}

/** What systemctl status shows in one line. */
function summary(daemon: Daemon): string {
  const all = daemon.running.vips.length;
  const held = heldBy(daemon);
  if (held.length === 0) return `holds none of ${all} VIPs`;
  return `holds ${held.length} of ${all} VIPs: ${held.slice(0, 8).join(", ")}${held.length > 8 ? ", ..." : ""}`;
}

/** A bug ends the process: the kernel closes the fence when the lease ends, and a restart before that takes the lease up. */
function failLoudly(log: AdjustableLogger): void {
  const die = (error: unknown): never => {
    log.error({ stack: error instanceof Error ? error.stack : undefined }, `a bug in vipd: ${messageOf(error)}`);
    process.exit(EXIT.software);
  };
  process.on("uncaughtException", die).on("unhandledRejection", die);
}

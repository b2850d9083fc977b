// vipctl realserver: makes this host a real server of a VIP, undoes it, and shows of which it is one. It needs no daemon: what
// is kept lies in the state directory, where a daemon finds it, too.

import { MAX_REAL_SERVER_INTERFACES } from "../../base/bounds.ts";
import { DEFAULT_CONFIG_FILE, DEFAULT_STATE_DIR } from "../../base/paths.ts";
import { VipdError } from "../../base/errors.ts";
import { whyNotServed } from "../../config/host-address.ts";
import type { Config } from "../../config/types.ts";
import type { RealServer, RealServerOutcome, RealServers, RealServerState } from "../../ports/real-server.ts";
import { parseCidr, parseIp } from "../../wire/ip.ts";
import { loadConfig } from "../config-file.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { VipctlDeps } from "../deps.ts";
import { describeRealServer } from "../render/real-servers.ts";
import { escapeControl, styleFor, toJson } from "../render/text.ts";

/** The options of realserver. */
export interface RealServerOptions {
  readonly config?: string;
  readonly json?: true;
}

/** The options of realserver up. */
export interface RealServerUpOptions extends RealServerOptions {
  readonly interface?: readonly string[];
}

/** What of a configuration counts here. */
type Known = Pick<Config, "stateDir" | "realServers" | "vips">;

/** What was asked for. */
type Meant =
  | { readonly kind: "server"; readonly server: RealServer; readonly by: RealServerState["by"] }
  | { readonly kind: "refused"; readonly code: ExitCode; readonly reason: string };

/** Puts a VIP on lo, silently. */
export async function realServerUp(what: string, options: RealServerUpOptions, deps: VipctlDeps): Promise<ExitCode> {
  const known = await readKnown(options.config, deps);
  const meant = meantBy(what, known, options.interface ?? []);
  if (meant.kind === "refused") return refuse(meant.reason, meant.code, deps);
  const { server, by } = meant;
  const outcome = await using(known, deps, (servers) => servers.up(server, by));
  const ips = server.addresses.map(({ ip }) => ip).join(", ");
  const already = outcome.kind === "unchanged" ? " already" : "";
  return tell(server, "up", outcome, `this host is${already} a real server of ${server.name}: ${ips} on lo, silent`, {
    options,
    deps,
  });
}

/** Takes it off again. */
export async function realServerDown(what: string, options: RealServerOptions, deps: VipctlDeps): Promise<ExitCode> {
  const known = await readKnown(options.config, deps);
  const server = findServer(what, known);
  const address = parseIp(what);
  const name = server?.name ?? address?.ip ?? what;
  const addresses = server?.addresses ?? (address === undefined ? [] : [address]);
  const by = server === undefined ? "hand" : "file";
  const outcome = await using(known, deps, (servers) => servers.down({ name, addresses }, by));
  const already = outcome.kind === "unchanged" ? "already " : "";
  const text = `${name} is ${already}down: this host is no real server of it`;
  return tell({ name }, "down", outcome, text, { options, deps });
}

/** Shows all of them. */
export async function realServerShow(options: RealServerOptions, deps: VipctlDeps): Promise<ExitCode> {
  const known = await readKnown(options.config, deps);
  const all = await using(known, deps, (servers) => servers.look(known.realServers));
  const style = styleFor(deps.out, deps.env);
  const lines = all.length === 0 ? ["this host is no real server"] : all.map((each) => describeRealServer(each, style));
  deps.out.write(`${options.json === true ? toJson(all) : lines.join("\n")}\n`);
  return all.some(({ trouble }) => trouble !== null) ? EXIT.no : EXIT.ok;
}

/** Without a configuration addresses can still be given; one that has mistakes may hide that this node is a candidate. */
async function readKnown(file: string | undefined, deps: VipctlDeps): Promise<Known> {
  try {
    return await loadConfig(file ?? DEFAULT_CONFIG_FILE, deps);
  } catch (error) {
    const isMissing = error instanceof VipdError && error.context["missing"] === true;
    if (!isMissing || file !== undefined) throw error;
    return { stateDir: DEFAULT_STATE_DIR, realServers: [], vips: [] };
  }
}

function findServer(what: string, { realServers }: Known): RealServer | undefined {
  const ip = parseIp(what)?.ip;
  return (
    realServers.find(({ name }) => name === what) ??
    realServers.find(({ addresses }) => addresses.some((address) => address.ip === ip))
  );
}

function meantBy(what: string, known: Known, interfaces: readonly string[]): Meant {
  const server = findServer(what, known);
  if (server !== undefined && interfaces.length > 0)
    return usage(`--interface is for other addresses: ${server.name} stands below realServers: with its interfaces`);
  if (server !== undefined) return { kind: "server", server, by: "file" };
  const address = parseIp(what);
  const vip = known.vips.find(({ name, addresses }) => name === what || addresses.some(({ ip }) => ip === address?.ip));
  if (vip !== undefined) return { kind: "refused", code: EXIT.no, reason: candidateReason(vip.name) };
  if (address === undefined) return usage(noAddress(what));
  const wrong = whyNotServed(address);
  if (wrong !== undefined) return usage(`${wrong}: name an address of the VIP, such as 10.0.0.50`);
  if (address.family === 4 && interfaces.length === 0)
    return usage(
      `name the interface on which the director's packets for ${address.ip} arrive, such as --interface eth0`,
    );
  if (interfaces.includes("lo"))
    return usage(
      "lo is where the address is put: name the interface on which the director's packets arrive, such as --interface eth0",
    );
  if (interfaces.length > MAX_REAL_SERVER_INTERFACES)
    return usage(`${interfaces.length} interfaces are too many: keep it within ${MAX_REAL_SERVER_INTERFACES}`);
  const { family, ip } = address;
  return { kind: "server", server: { name: ip, addresses: [{ family, ip }], interfaces }, by: "hand" };
}

function noAddress(what: string): string {
  const cidr = parseCidr(what);
  if (cidr !== undefined) return `${what} has a prefix length, and on lo each address is alone: write ${cidr.ip}`;
  return `${what} is no name below realServers:, and no address`;
}

function usage(reason: string): Meant {
  return { kind: "refused", code: EXIT.usage, reason };
}

function candidateReason(vip: string): string {
  return `this node is a candidate for ${vip} (vips.${vip}), and cannot be its real server: the holder must answer for the address, a real server must never; have one host, or one network namespace, be the candidate, and others the real servers: see docs/lvs.md`;
}

async function using<T>({ stateDir }: Known, deps: VipctlDeps, work: (servers: RealServers) => T): Promise<T> {
  if (deps.openRealServers === undefined) throw new VipdError("kernel", "this build of vipctl has no real servers");
  const servers = await deps.openRealServers(stateDir, deps.signal);
  try {
    return work(servers);
  } finally {
    servers.close();
  }
}

function tell(
  server: Partial<RealServer>,
  state: RealServerState["state"],
  outcome: RealServerOutcome,
  text: string,
  { options, deps }: { readonly options: RealServerOptions; readonly deps: VipctlDeps },
): ExitCode {
  if (outcome.kind === "refused") return refuse(outcome.reason, EXIT.no, deps);
  const { remarks, kind } = outcome;
  const changed = kind === "changed";
  for (const remark of remarks) deps.err.write(`${escapeControl(remark)}\n`);
  deps.out.write(
    options.json === true ? `${toJson({ ...server, state, changed, remarks })}\n` : `${escapeControl(text)}\n`,
  );
  return EXIT.ok;
}

function refuse(reason: string, code: ExitCode, deps: VipctlDeps): ExitCode {
  deps.err.write(`${escapeControl(reason)}\n`);
  return code;
}

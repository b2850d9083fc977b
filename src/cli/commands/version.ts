// vipctl version: of vipctl, and of the daemon of this host when one runs.

import { adminFailure } from "../../admin/client.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { VipctlModules } from "../modules.ts";
import { harmless, toJson } from "../render/text.ts";
import { openDaemon, type WhereOptions } from "../source.ts";

/** The options of version. */
export interface VersionOptions extends WhereOptions {
  readonly json?: true;
}

const DAEMON_MS = 2_000;

/** Shows both; a host without a daemon is no failure. */
export async function version(options: VersionOptions, modules: VipctlModules): Promise<ExitCode> {
  const daemon = await daemonVersion(options, modules);
  if (options.json === true) modules.out.write(`${toJson({ vipctl: modules.version, daemon })}\n`);
  else {
    const line =
      daemon === null
        ? "vipd    not running here"
        : `vipd    ${harmless(daemon.version)} (node ${harmless(daemon.node)}, pid ${daemon.pid})`;
    modules.out.write(`vipctl  ${modules.version}\n${line}\n`);
  }
  return EXIT.ok;
}

async function daemonVersion(
  options: VersionOptions,
  modules: VipctlModules,
): Promise<{ version: string; node: string; pid: number } | null> {
  try {
    return await (await openDaemon(options, modules)).version({ timeoutMs: DAEMON_MS, signal: modules.signal });
  } catch (error) {
    if (adminFailure(error) === "absent") return null;
    throw error;
  }
}

// vipctl version: of vipctl, and of the daemon of this host when one runs.

import { adminFailure } from "../../admin/client.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { VipctlDeps } from "../deps.ts";
import { escapeControl, toJson } from "../render/text.ts";
import { openDaemon, type WhereOptions } from "../source.ts";

/** The options of version. */
export interface VersionOptions extends WhereOptions {
  readonly json?: true;
}

const DAEMON_MS = 2_000;

/** Shows both; a host without a daemon is no failure. */
export async function version(options: VersionOptions, deps: VipctlDeps): Promise<ExitCode> {
  const daemon = await daemonVersion(options, deps);
  if (options.json === true) deps.out.write(`${toJson({ vipctl: deps.version, daemon })}\n`);
  else {
    const line =
      daemon === null
        ? "vipd    not running here"
        : `vipd    ${escapeControl(daemon.version)} (node ${escapeControl(daemon.node)}, pid ${daemon.pid})`;
    deps.out.write(`vipctl  ${deps.version}\n${line}\n`);
  }
  return EXIT.ok;
}

async function daemonVersion(
  options: VersionOptions,
  deps: VipctlDeps,
): Promise<{ version: string; node: string; pid: number } | null> {
  try {
    return await (await openDaemon(options, deps)).version({ timeoutMs: DAEMON_MS, signal: deps.signal });
  } catch (error) {
    if (adminFailure(error) === "absent") return null;
    throw error;
  }
}

// The daemon of this host: whether it runs and answers, and whether what runs is what the configuration says.

import { type AdminFailure, adminFailure } from "../../admin/client.ts";
import type { StatusView, VersionView } from "../../admin/views.ts";
import { messageOf } from "../../base/errors.ts";
import { redactUrl } from "../../base/store-url.ts";
import type { Config } from "../../config/types.ts";
import type { VipctlDeps } from "../deps.ts";
import { failure, fine, type Finding, warning } from "./finding.ts";

/** A daemon that has not answered by then is frozen or overloaded, in milliseconds. */
const DAEMON_MS = 2_000;

const RESTART = "restart it, which moves nothing: systemctl restart vipd";

/** What was found of the daemon, and whether one runs. */
export interface DaemonExamination {
  readonly findings: readonly Finding[];
  readonly runs: boolean;
}

/** Asks the daemon. */
export async function examineDaemon(config: Config, deps: VipctlDeps): Promise<DaemonExamination> {
  const limits = { timeoutMs: DAEMON_MS, signal: deps.signal };
  try {
    const client = await deps.adminClient(config.admin.socket);
    const running = await client.version(limits);
    const findings = [ofVersion(running, deps.version), ...differences(config, await client.status(limits))];
    return { findings, runs: true };
  } catch (error) {
    const kind = adminFailure(error);
    if (kind === undefined) throw error;
    return { findings: [ofFailure(kind, messageOf(error))], runs: kind !== "absent" };
  }
}

function ofVersion({ version, node, pid }: VersionView, own: string): Finding {
  const text = `vipd ${version} runs (node ${node}, pid ${pid})`;
  return version === own ? fine("daemon", text) : warning("daemon", text, `vipctl is ${own}: ${RESTART}`);
}

function ofFailure(kind: AdminFailure, text: string): Finding {
  switch (kind) {
    case "absent":
      return warning("daemon", text, "start it: systemctl start vipd");
    case "denied":
      return warning("daemon", text, "run vipctl doctor as root, or as a member of that group");
    case "silent":
      return failure("daemon", text, "it runs, but is frozen or overloaded: see journalctl -u vipd, then restart it");
    case "refused":
    case "broken":
      return failure("daemon", text, "see journalctl -u vipd, then restart it");
  }
}

/** What takes effect at a start only. */
function differences(config: Config, running: StatusView): readonly Finding[] {
  const pairs: readonly (readonly [key: string, file: string, runs: string])[] = [
    ["node", config.node, running.node],
    ["fleet", config.fleet, running.fleet],
    ["store", redactUrl(config.store ?? ""), running.store.url],
    ["ttl", `${config.ttlMs} ms`, `${running.ttlMs} ms`],
  ];
  return pairs
    .filter(([, file, runs]) => file !== runs)
    .map(([key, file, runs]) =>
      warning("daemon", `restart needed: the file says ${key} ${file}, the daemon runs with ${runs}`, RESTART),
    );
}

// vipctl doctor: looks at configuration, daemon, store, kernel and network of this host, one line each, with the fix.

import type { FleetView } from "../../admin/views.ts";
import { isVipdError, messageOf, VipdError } from "../../base/errors.ts";
import type { Config } from "../../config/types.ts";
import { type CheckedFile, checkFile } from "../check.ts";
import { errorLines } from "../config-file.ts";
import { DEFAULT_CONFIG_FILE } from "../../base/paths.ts";
import { examineChecks } from "../doctor/check-runs.ts";
import { examineDaemon } from "../doctor/daemon-checks.ts";
import { failure, fine, type Finding, type Level, warning } from "../doctor/finding.ts";
import { examineRealServers } from "../doctor/real-server-checks.ts";
import { judgeKernel, judgeNetwork } from "../doctor/host-checks.ts";
import { judgeServices } from "../doctor/services.ts";
import { examineStore } from "../doctor/store-checks.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { VipctlDeps } from "../deps.ts";
import { escapeControl, type Style, styleFor, toJson } from "../render/text.ts";
import { verifyOnWire } from "../verify.ts";

/** The options of doctor. */
export interface DoctorOptions {
  readonly config?: string;
  readonly json?: true;
}

const WRITE_IT = "write it: docs/examples/nginx-pair.yaml, which is installed with vipd, is an example";

/** Examines everything that can be examined; exit code 1 when there is a failure. */
export async function doctor(options: DoctorOptions, deps: VipctlDeps): Promise<ExitCode> {
  const findings = await examine(options.config ?? DEFAULT_CONFIG_FILE, deps);
  const style = styleFor(deps.out, deps.env);
  const text =
    options.json === true ? toJson(findings) : findings.map((finding) => describe(finding, style)).join("\n");
  deps.out.write(`${text}\n`);
  return findings.some(({ level }) => level === "failure") ? EXIT.no : EXIT.ok;
}

async function examine(file: string, deps: VipctlDeps): Promise<readonly Finding[]> {
  let checked: CheckedFile;
  try {
    checked = await checkFile(file, deps);
  } catch (error) {
    // The last line sums up what the others say one by one.
    const lines = errorLines(error);
    const isMissing = error instanceof VipdError && error.context["missing"] === true;
    const fix = isMissing ? WRITE_IT : `vipd --check -c ${file} shows it again`;
    return (lines.length > 1 ? lines.slice(0, -1) : lines).map((line) => failure("config", line, fix));
  }
  const { config, remarks } = checked;
  const good = fine(
    "config",
    `${file}: no mistakes (node ${config.node}, fleet ${config.fleet}, ${config.vips.length === 1 ? "1 VIP" : `${config.vips.length} VIPs`})`,
  );
  const daemon = await examineDaemon(config, deps);
  const store = await examineStore(config, daemon.runs, deps);
  const host = await examineHost(config, deps);
  const servers = await examineRealServers(config, deps);
  const wire = await examineWire(config, store.view, deps);
  const services = await deps.readServices?.();
  const served = services === undefined ? [] : judgeServices(config, services);
  const checks = await examineChecks(config, deps);
  const slips = remarks.map(({ text, fix }) => warning("config", text, fix));
  const local = [...host, ...servers, ...wire, ...served, ...checks];
  return [good, ...slips, ...daemon.findings, ...store.findings, ...local];
}

async function examineHost(config: Config, deps: VipctlDeps): Promise<readonly Finding[]> {
  const report = await deps.examineHost?.(config.fence);
  return report === undefined ? [] : [...judgeKernel(report), ...judgeNetwork(config, report)];
}

/** Asks the wire for each VIP of the configuration that the store knows. */
async function examineWire(config: Config, view: FleetView | undefined, deps: VipctlDeps): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const { name } of config.vips) {
    const election = view?.elections.find((other) => other.name === name);
    if (view === undefined || election === undefined) continue;
    try {
      const owner = { view, election, via: "store", confirmed: null, formerHolder: null, wire: null } as const;
      for (const { agrees, text } of (await verifyOnWire(owner, deps)).findings)
        findings.push(agrees ? fine("network", text) : failure("network", text, "vipctl who-owns --verify shows more"));
    } catch (error) {
      if (isVipdError(error, "aborted")) throw error;
      findings.push(warning("network", `${name}: ${messageOf(error)}`, "the wire could not be asked"));
    }
  }
  return findings;
}

const MARKS: Readonly<Record<Level, (style: Style) => string>> = {
  ok: (style) => style.good("ok     "),
  warning: (style) => style.warn("warning"),
  failure: (style) => style.bad("FAILURE"),
};

function describe({ about, level, text, fix }: Finding, style: Style): string {
  const line = `${MARKS[level](style)}  ${about.padEnd(7)}  ${escapeControl(text)}`;
  return fix === null ? line : `${line}\n${" ".repeat(18)}${style.dim(`-> ${escapeControl(fix)}`)}`;
}

// vipctl's command line. Each command is loaded when it is asked for.

import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { HISTORY_LENGTH } from "../base/bounds.ts";
import { messageOf, VipdError } from "../base/errors.ts";
import { given, interfaceGiven, nameGiven } from "./arguments.ts";
import type { ChecksOptions } from "./commands/checks.ts";
import type { DoctorOptions } from "./commands/doctor.ts";
import type { ForgetOptions } from "./commands/forget.ts";
import type { HistoryOptions } from "./commands/history.ts";
import type { MaintenanceOptions, ResumeOptions } from "./commands/maintenance.ts";
import type { RealServerOptions, RealServerUpOptions } from "./commands/realserver.ts";
import type { RepairCommandOptions } from "./commands/repair.ts";
import type { StatusOptions } from "./commands/status.ts";
import type { StepDownOptions } from "./commands/step-down.ts";
import type { VersionOptions } from "./commands/version.ts";
import type { VrrpListenOptions } from "./commands/vrrp-listen.ts";
import type { WhoOwnsOptions } from "./commands/who-owns.ts";
import { EXIT, type ExitCode, exitCodeOf, formatExitCodes, VIPCTL_EXIT_CODES } from "./exit-codes.ts";
import type { VipctlDeps } from "./deps.ts";
import { escapeControl } from "./render/text.ts";
import type { WhereOptions } from "./source.ts";

/** Runs vipctl with the arguments that follow its name, to its exit code. Never throws. */
export async function runVipctl(argv: readonly string[], deps: VipctlDeps): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = makeProgram(deps, async (run) => {
    code = await run;
  });
  try {
    await program.parseAsync(asHelpOption(argv, program), { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (deps.signal.aborted) return EXIT.interrupted;
    for (const line of linesOf(error)) deps.err.write(`vipctl: ${escapeControl(line)}\n`);
    return exitCodeOf(error);
  }
}

function linesOf(error: unknown): readonly string[] {
  const issues = error instanceof VipdError ? error.context["issues"] : undefined;
  return [...(Array.isArray(issues) ? (issues as readonly string[]) : []), `${messageOf(error)}${absenceFix(error)}`];
}

/** What only a daemon can do needs one. Where the store would do as well, that has been said. */
function absenceFix(error: unknown): string {
  const isAbsent = error instanceof VipdError && error.context["failure"] === "absent";
  if (!isAbsent || !/^no daemon listens at \S+$/u.test(error.message)) return "";
  return ": start it, such as with systemctl start vipd, or name its socket with --socket, or its configuration with --config";
}

type Run = (code: Promise<ExitCode>) => Promise<void>;

function makeProgram(deps: VipctlDeps, run: Run): Command {
  const program = new Command("vipctl")
    .description("Shows who holds the virtual IPs of a fleet, and hands them over.")
    .version(deps.version, "-V, --version", "print vipctl's version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", `\n${EXAMPLES}\n\n${formatExitCodes(VIPCTL_EXIT_CODES)}`)
    .helpCommand("help [command]", "print the help of a command")
    .showHelpAfterError("vipctl --help tells what there is, vipctl help <command> more")
    .exitOverride()
    .configureOutput({ writeOut: (text) => deps.out.write(text), writeErr: (text) => deps.err.write(text) });
  addWhoOwns(program, deps, run);
  addStatus(program, deps, run);
  addChecks(program, deps, run);
  addHistory(program, deps, run);
  addStepDown(program, deps, run);
  addMaintenance(program, deps, run);
  addResume(program, deps, run);
  addRepair(program, deps, run);
  addForget(program, deps, run);
  addDoctor(program, deps, run);
  addVrrp(program, deps, run);
  addRealServer(program, deps, run);
  addVersion(program, deps, run);
  // The commands have been given the same: this is said of the program's own options only.
  program.showHelpAfterError(
    "options follow the command: vipctl --help tells what there is, vipctl help <command> more",
  );
  return program;
}

/** `help vrrp listen` as `vrrp listen --help`. A command that is not known is left to be told; none is ever run. */
function asHelpOption(argv: readonly string[], program: Command): readonly string[] {
  if (argv[0] !== "help") return argv;
  const path: string[] = [];
  let command = program;
  for (const name of argv.slice(1)) {
    if (command.commands.length === 0 || name.startsWith("-")) break;
    const next = command.commands.find((each) => each.name() === name);
    path.push(name);
    if (next === undefined) return path;
    command = next;
  }
  return [...path, "--help"];
}

const EXAMPLES = `Examples:
  vipctl who-owns 10.0.0.50            who answers for it, since when, under which token
  vipctl who-owns web --verify         and whether the wire agrees
  vipctl status --watch                the whole fleet, live
  vipctl step-down web                 hand it over, now and once
  vipctl maintenance                   hand all over, and take none until vipctl resume
  vipctl status --store sqlite:/var/lib/vipd/fleet.db     without a daemon`;

/** The options by which the fleet is found. */
function withWhere(command: Command, storeToo: boolean): Command {
  command
    .option("-c, --config <file>", "configuration that names socket and store (default: /etc/vipd/vipd.yaml)", given)
    .option("--socket <path>", "the daemon's admin socket (default: /run/vipd/vipd.sock)", given);
  return storeToo ? withStore(command) : command.option("--json", "one line of JSON for programs");
}

function withStore(command: Command): Command {
  return command
    .addOption(
      new Option("--store <url>", "ask this store, not the daemon").argParser(given).conflicts(["config", "socket"]),
    )
    .option("--fleet <name>", "the fleet in that store (default: main)", nameGiven)
    .option("--json", "one line of JSON for programs")
    .hook("preAction", () => {
      const { store, fleet } = command.opts<WhereOptions>();
      if (fleet !== undefined && store === undefined)
        command.error("error: option '--fleet <name>' needs '--store <url>': a daemon knows its own fleet only");
    });
}

/** The options by which a store is found, where a daemon is not asked. */
function withStoreOf(command: Command): void {
  const description = "configuration that names the store (default: /etc/vipd/vipd.yaml)";
  withStore(command.option("-c, --config <file>", description, given));
}

function wholeNumber(text: string): number {
  const value = /^\d{1,9}$/u.test(text) ? Number(text) : 0;
  if (value >= 1) return value;
  throw new InvalidArgumentError("It must be a whole number, 1 or more.");
}

function addWhoOwns(program: Command, deps: VipctlDeps, run: Run): void {
  const command = program
    .command("who-owns")
    .description("who holds a VIP: by its name, or by one of its addresses")
    .argument("<vip>", "name of the VIP (election), or address")
    .addOption(new Option("--watch", "go on, and tell each change").conflicts(["confirm", "verify"]))
    .option("--confirm", "wait for the holder's next heartbeat")
    .option("--verify", "ask the wire too (ARP, NDP): needs CAP_NET_RAW")
    .action(async (vip: string, options: WhoOwnsOptions) =>
      run((await import("./commands/who-owns.ts")).whoOwns(vip, options, deps)),
    );
  withWhere(command, true);
}

function addStatus(program: Command, deps: VipctlDeps, run: Run): void {
  const command = program
    .command("status")
    .description("all VIPs, nodes and warnings of the fleet")
    .option("--watch", "go on, and show it anew after each change")
    .option("--verbose", "and what the store cannot promise, as it runs")
    .action(async (options: StatusOptions) => run((await import("./commands/status.ts")).status(options, deps)));
  withWhere(command, true);
}

function addChecks(program: Command, deps: VipctlDeps, run: Run): void {
  const command = program
    .command("checks")
    .description("what the daemon of this host looks at, and what it found last; exit code 1 when a check has failed")
    .option("--watch", "go on, and show them anew after each change")
    .action(async (options: ChecksOptions) => run((await import("./commands/checks.ts")).checks(options, deps)));
  withWhere(command, false);
}

function addHistory(program: Command, deps: VipctlDeps, run: Run): void {
  const command = program
    .command("history")
    .description("the last ownership changes of a VIP")
    .argument("<vip>", "name of the VIP (election), or address")
    .option("--limit <count>", `so many changes at most (the store keeps ${HISTORY_LENGTH})`, wholeNumber)
    .action(async (vip: string, options: HistoryOptions) =>
      run((await import("./commands/history.ts")).history(vip, options, deps)),
    );
  withWhere(command, true);
}

function addStepDown(program: Command, deps: VipctlDeps, run: Run): void {
  const command = program
    .command("step-down")
    .description("have the daemon of this host hand a VIP over")
    .argument("<vip>", "name of the VIP (election), or address")
    .option("--to <node>", "to this node (default: the best other candidate)", nameGiven)
    .action(async (vip: string, options: StepDownOptions) =>
      run((await import("./commands/step-down.ts")).stepDown(vip, options, deps)),
    );
  withWhere(command, false);
}

function addMaintenance(program: Command, deps: VipctlDeps, run: Run): void {
  const command = program
    .command("maintenance")
    .description("have this host give up a VIP, or all, and take none, until vipctl resume; lasts over restarts")
    .argument("[vip]", "name of the VIP (election), or address (default: all of this node)")
    .option("--reason <text>", "shown in status and history", given)
    .option("--force", "also when no other node can take a VIP")
    .action(async (vip: string | undefined, options: MaintenanceOptions) =>
      run((await import("./commands/maintenance.ts")).maintenance(vip, options, deps)),
    );
  withWhere(command, false);
}

function addResume(program: Command, deps: VipctlDeps, run: Run): void {
  const command = program
    .command("resume")
    .description("end the maintenance of a VIP, or of all, on this host")
    .argument("[vip]", "name of the VIP (election), or address (default: all of this node)")
    .action(async (vip: string | undefined, options: ResumeOptions) =>
      run((await import("./commands/maintenance.ts")).resume(vip, options, deps)),
    );
  withWhere(command, false);
}

function addRepair(program: Command, deps: VipctlDeps, run: Run): void {
  const command = program
    .command("repair")
    .description("what stands where a VIP's record in the store cannot be read; with --yes it is reset")
    .argument("<vip>", "name of the VIP (election), or address")
    .option("--yes", "reset it: the token does not fall, and nobody takes it from who may hold it")
    .option("--force", "also when nobody can tell who held it last: make sure that no host answers for it")
    .action(async (vip: string, options: RepairCommandOptions) =>
      run((await import("./commands/repair.ts")).repair(vip, options, deps)),
    );
  withStoreOf(command);
}

function addForget(program: Command, deps: VipctlDeps, run: Run): void {
  const command = program
    .command("forget")
    .description("remove what a node that is gone for good left in the store; waits for its lease")
    .argument("<node>", "name of the node", nameGiven)
    .action(async (node: string, options: ForgetOptions) =>
      run((await import("./commands/forget.ts")).forget(node, options, deps)),
    );
  withStoreOf(command);
}

function addDoctor(program: Command, deps: VipctlDeps, run: Run): void {
  program
    .command("doctor")
    .description("what is wrong with this host's configuration, daemon, store, kernel and network, and how to fix it")
    .option("-c, --config <file>", "the configuration (default: /etc/vipd/vipd.yaml)", given)
    .option("--json", "one line of JSON for programs")
    .action(async (options: DoctorOptions) => run((await import("./commands/doctor.ts")).doctor(options, deps)));
}

function addVrrp(program: Command, deps: VipctlDeps, run: Run): void {
  program
    .command("vrrp")
    .description("VRRP on the wire, whoever speaks it")
    .command("listen")
    .description("every VRRP master on the wire, and what is wrong: needs CAP_NET_RAW, and no configuration")
    .argument("[interface]", "on this interface (default: every Ethernet interface that is up)")
    .option("--for <duration>", "listen for so long (default: 5s)", given)
    .option("--json", "one line of JSON for programs")
    .action(async (link: string | undefined, options: VrrpListenOptions) =>
      run((await import("./commands/vrrp-listen.ts")).vrrpListen(link, options, deps)),
    );
}

function addRealServer(program: Command, deps: VipctlDeps, run: Run): void {
  const group = program
    .command("realserver")
    .description("this host as a real server of VIPs (LVS, direct routing): as root, with or without a daemon");
  const up = group
    .command("up")
    .description("put a VIP on lo, and have this host say nothing of it by ARP and neighbour discovery")
    .argument("<vip>", "name below realServers:, or an address")
    .option(
      "--interface <name>",
      "where the director's packets arrive, for an address that is not below realServers:; more than once for several",
      (name: string, before: readonly string[] | undefined): readonly string[] => [
        ...(before ?? []),
        interfaceGiven(name),
      ],
    )
    .action(async (vip: string, options: RealServerUpOptions) =>
      run((await import("./commands/realserver.ts")).realServerUp(vip, options, deps)),
    );
  const down = group
    .command("down")
    .description("take it off lo, then put the interfaces' settings back to what they were")
    .argument("<vip>", "name below realServers:, or an address")
    .action(async (vip: string, options: RealServerOptions) =>
      run((await import("./commands/realserver.ts")).realServerDown(vip, options, deps)),
    );
  const show = group
    .command("show")
    .description("of which VIPs this host is a real server; exit code 1 when one is not as it should be")
    .action(async (options: RealServerOptions) =>
      run((await import("./commands/realserver.ts")).realServerShow(options, deps)),
    );
  for (const command of [up, down, show])
    command
      .option("-c, --config <file>", "configuration with realServers: (default: /etc/vipd/vipd.yaml)", given)
      .option("--json", "one line of JSON for programs");
}

function addVersion(program: Command, deps: VipctlDeps, run: Run): void {
  const command = program
    .command("version")
    .description("the versions of vipctl and of the daemon of this host")
    .action(async (options: VersionOptions) => run((await import("./commands/version.ts")).version(options, deps)));
  withWhere(command, false);
}

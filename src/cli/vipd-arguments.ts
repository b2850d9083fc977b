// vipd's arguments, and everything it does besides running: checking a file, printing the schema, help.

import { Command, CommanderError, Option } from "commander";
import { given } from "./arguments.ts";
import { escapeControl } from "./render/text.ts";
import { type CheckDeps, checkFile } from "./check.ts";
import { errorLines } from "./config-file.ts";
import { DEFAULT_CONFIG_FILE } from "../base/paths.ts";
import { EXIT, type ExitCode, exitCodeOf, formatExitCodes, VIPD_EXIT_CODES } from "./exit-codes.ts";
import type { Output } from "./deps.ts";

/** What vipd's front door works with. */
export interface VipdDeps extends CheckDeps {
  readonly version: string;
  readonly out: Output;
  readonly err: Output;
}

/** What is left to do: run the daemon, or nothing. */
export type VipdInvocation =
  | { readonly kind: "run"; readonly configFile: string }
  | { readonly kind: "exit"; readonly code: ExitCode };

interface Options {
  readonly config: string;
  readonly check?: true;
  readonly printSchema?: true;
}

/** Answers all that needs no daemon (`argv` without the program's name); says what is left to do. Never throws. */
export async function handleVipdArguments(argv: readonly string[], deps: VipdDeps): Promise<VipdInvocation> {
  const program = vipdProgram(deps);
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
    throw error;
  }
  const options = program.opts<Options>();
  if (options.printSchema === true) return exit(await printSchema(deps));
  if (options.check === true) return exit(await checkConfig(options.config, deps));
  return { kind: "run", configFile: options.config };
}

function exit(code: ExitCode): VipdInvocation {
  return { kind: "exit", code };
}

function vipdProgram(deps: VipdDeps): Command {
  return new Command("vipd")
    .description("Holds virtual IPs: each on exactly one healthy host of the fleet.")
    .option("-c, --config <file>", "configuration", given, DEFAULT_CONFIG_FILE)
    .addOption(
      new Option("--check", "check the configuration, also against this host, tell every mistake, and exit").conflicts(
        "printSchema",
      ),
    )
    .option("--print-schema", "print the JSON Schema of the configuration, and exit")
    .version(deps.version, "-V, --version", "print the version, and exit")
    .helpOption("-h, --help", "print this help, and exit")
    .addHelpText(
      "after",
      `\nSignals:\n  TERM, INT  release everything, leave the fleet, exit\n  HUP        read the configuration again\n  USR2       exit and let nothing go: a vipd that starts within the lease takes it up\n\n${formatExitCodes(VIPD_EXIT_CODES)}`,
    )
    .allowExcessArguments(false)
    .showHelpAfterError("vipd --help tells what there is")
    .exitOverride()
    .configureOutput({ writeOut: (text) => deps.out.write(text), writeErr: (text) => deps.err.write(text) });
}

/** `vipd --check`: tells every mistake on `err`, or what the file configures on `out`, and what should be fixed on `err`. */
export async function checkConfig(file: string, deps: VipdDeps): Promise<ExitCode> {
  try {
    const { config, remarks } = await checkFile(file, deps);
    for (const { text, fix } of remarks) deps.err.write(`${escapeControl(`warning: ${text}; ${fix}`)}\n`);
    const vips = config.vips.length === 1 ? "1 VIP" : `${config.vips.length} VIPs`;
    deps.out.write(`${file}: no mistakes (node ${config.node}, fleet ${config.fleet}, ${vips})\n`);
    return EXIT.ok;
  } catch (error) {
    for (const line of errorLines(error)) deps.err.write(`${escapeControl(line)}\n`);
    return exitCodeOf(error);
  }
}

async function printSchema(deps: VipdDeps): Promise<ExitCode> {
  const { jsonSchema } = await import("../config/schema.ts");
  deps.out.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
  return EXIT.ok;
}

// vipd as users get it: packed from a clone and installed from the tarball by npm.

import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Registry } from "./registry.ts";

const ROOT = join(import.meta.dirname, "../..");
const MODULES = realpathSync(join(ROOT, "node_modules"));
const run = promisify(execFile);

/** The Node.js of the project. */
export const NODE = join(MODULES, "node/bin/node");

/** A clone of the project, and a place where programs are installed. */
export class Workshop {
  readonly directory = mkdtempSync(join(tmpdir(), "vdw-"));
  readonly clone = join(this.directory, "clone");
  private readonly registry: Registry;

  private constructor(registry: Registry) {
    this.registry = registry;
  }

  /** Clones what lies in the working directory. */
  static async open(): Promise<Workshop> {
    const workshop = new Workshop(await Registry.open(MODULES));
    const { stdout } = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      cwd: ROOT,
    });
    for (const file of stdout.split("\0").filter((name) => /^(?:src|adapters|docs)\/|^[^/]+$/u.test(name)))
      cpSync(join(ROOT, file), join(workshop.clone, file));
    symlinkSync(MODULES, join(workshop.clone, "node_modules"));
    return workshop;
  }

  /** A directory that can become /usr/local of a machine, with vipd installed by the commands of the README. */
  async installed(name: string): Promise<string> {
    const base = join(this.directory, "base");
    if (!existsSync(base)) {
      mkdirSync(join(base, "bin"), { recursive: true });
      mkdirSync(join(base, "lib"));
      writeFileSync(join(base, "bin/node"), "", { mode: 0o755 });
      await this.inClone(installCommands(), base);
    }
    const prefix = join(this.directory, name);
    await run("cp", ["-a", base, prefix]);
    return prefix;
  }

  /** Runs a line of shell in the clone, with npm as the README has it: installing for the prefix. */
  async inClone(line: string, prefix: string): Promise<string> {
    const { stdout } = await run("sh", ["-ec", line], {
      cwd: this.clone,
      env: {
        PATH: `${join(MODULES, "node/bin")}:${process.env["PATH"] ?? ""}`,
        HOME: this.directory,
        npm_config_registry: this.registry.url,
        npm_config_prefix: prefix,
        npm_config_audit: "false",
        npm_config_fund: "false",
        npm_config_update_notifier: "false",
      },
    });
    return stdout;
  }

  /** Gives the clone a newer version. */
  release(version: string): void {
    const file = join(this.clone, "package.json");
    const manifest = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    writeFileSync(file, `${JSON.stringify({ ...manifest, version }, null, 2)}\n`);
  }

  async close(): Promise<void> {
    await this.registry.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The commands of the README that install vipd from a clone; `npm install`, of what the clone needs, is left out. */
export function installCommands(): string {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const line = /npm install && (?<rest>npm install --global "\$\(npm pack --silent\)")\n/u.exec(readme);
  const rest = line?.groups?.["rest"];
  if (rest === undefined) throw new Error("the README says no longer how vipd is installed");
  return rest;
}

/** The shell commands of a document, in the first block after these words; npm runs in the workshop, not on the machine. */
export function documented(page: string, words: string): string {
  const text = readFileSync(join(ROOT, page), "utf8");
  const block = /```sh\n(?<block>[^`]*)```/u.exec(text.slice(text.indexOf(words)))?.groups?.["block"];
  if (block === undefined || !text.includes(words)) throw new Error(`${page} has no commands after "${words}"`);
  return block
    .replaceAll(/^ +/gmu, "")
    .replaceAll(/^(?:git|npm) .*\n/gmu, "")
    .replaceAll("$(npm root --global)", "/usr/local/lib/node_modules");
}

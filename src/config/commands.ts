// Every command of the configuration and its place, so that whoever may look at files can say which of them would not run.

import type { CommandOptions } from "../base/command.ts";
import { buildCheck, buildHooks } from "./build-checks.ts";
import type { Path } from "./issue.ts";
import type { FileData } from "./schema.ts";

/** A command, and where it stands in the file. */
export interface LocatedCommand extends Pick<CommandOptions, "argv" | "user"> {
  readonly path: Path;
  /** Where its user stands. */
  readonly userPath: Path;
}

/** All commands of a file, each once. */
export function commandsOf(data: FileData): readonly LocatedCommand[] {
  const ofChecks = Object.entries(data.checks ?? {}).flatMap(([name, check]): readonly LocatedCommand[] => {
    const plan = buildCheck(name, check);
    const { options, recover } = plan ?? {};
    return [
      ...(options?.kind === "script" ? [placed(options, ["checks", name], "script")] : []),
      ...(recover == null ? [] : [placed(recover, ["checks", name, "recover"], "run")]),
    ];
  });
  const ofVips = Object.entries(data.vips ?? {}).flatMap(([name, { hooks }]) =>
    ofHooks(hooks, ["vips", name, "hooks"]),
  );
  return [...ofChecks, ...ofHooks(data.hooks, ["hooks"]), ...ofVips];
}

function ofHooks(hooks: FileData["hooks"], path: Path): readonly LocatedCommand[] {
  return buildHooks(hooks).map((hook) => placed(hook, path, hook.on));
}

function placed({ argv, user }: Pick<CommandOptions, "argv" | "user">, group: Path, key: string): LocatedCommand {
  return { argv, user, path: [...group, key], userPath: [...group, "user"] };
}

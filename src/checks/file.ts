// The check of a file: a switch for maintenance, or a number that shifts the priority (keepalived's track_file).

import { type CheckResult, checkResult } from "../health/result.ts";
import type { Logger } from "../ports/logger.ts";
import type { FileCheckOptions } from "../config/check-options.ts";
import { PathWatch } from "./path-watch.ts";
import type { Performer } from "./performer.ts";
import { lookForFile, readSmallFile } from "./small-file.ts";

/** A file with a number is no longer than this. */
const MAX_NUMBER_FILE_BYTES = 4_096;

/** keepalived's bounds of a track_file's value. */
const MAX_NUMBER = 254;

/** What the check needs. */
export interface FileCheckDeps {
  readonly log: Logger;
}

/** A check of these options. */
export function filePerformer(options: FileCheckOptions, { log }: FileCheckDeps): Performer {
  const { path, wants } = options;
  return {
    run: () => (wants === "number" ? readNumber(path) : look(path, wants)),
    watch: (onNews) => {
      const watch = new PathWatch(path, onNews, log);
      return () => watch.close();
    },
  };
}

async function look(path: string, wants: "present" | "absent"): Promise<CheckResult> {
  const found = await lookForFile(path);
  if (typeof found === "object" && found.kind === "refused") return checkResult("could-not-run", found.why);
  const is = found === "present" ? "present" : "absent";
  return checkResult(is === wants ? "ok" : "failed", is === "present" ? `${path} is there` : `${path} is not there`);
}

async function readNumber(path: string): Promise<CheckResult> {
  const file = await readSmallFile(path, MAX_NUMBER_FILE_BYTES);
  if (file.kind === "refused") return checkResult("could-not-run", file.why);
  if (file.kind === "absent") return checkResult("ok", `${path} is not there: 0`, { value: 0 });
  const digits = /^\s*([+-]?\d{1,9})\s*$/u.exec(file.text)?.[1];
  if (digits === undefined) return checkResult("could-not-run", `${path} does not hold a whole number`);
  const value = Math.max(-MAX_NUMBER, Math.min(MAX_NUMBER, Number(digits)));
  return checkResult("ok", `${path} says ${value}`, { value });
}

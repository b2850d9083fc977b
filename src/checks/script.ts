// The check by a program, and the recovery by one.

import { type CheckResult, checkResult } from "../health/result.ts";
import { endingInWords, type FinishedCommand } from "../process/command.ts";
import { processExists } from "../process/group.ts";
import { type RunDeps, runCommand } from "../process/run.ts";
import type { RecoverOptions, ScriptCheckOptions } from "../config/check-options.ts";
import type { Performer } from "./performer.ts";

/** A check that prints more is stopped. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/** Exit status 0 is ok. A program that floods its output or leaves processes behind has failed, whatever its status. */
export function scriptPerformer(options: ScriptCheckOptions, deps: RunDeps): Performer {
  const limits = { maxOutputBytes: MAX_OUTPUT_BYTES, leftovers: "kill", environment: {} } as const;
  return commandPerformer((signal) => runCommand(options, limits, deps, signal));
}

/** As a script, but what it prints is dropped however much it is, and processes that it leaves are let be: they are the service. */
export function recoveryPerformer(options: RecoverOptions, deps: RunDeps): Performer {
  const limits = { maxOutputBytes: Number.POSITIVE_INFINITY, leftovers: "keep", environment: {} } as const;
  return commandPerformer((signal) => runCommand(options, limits, deps, signal));
}

/** A process that cannot be killed bars the next run: each one would leave one more. */
function commandPerformer(start: (signal: AbortSignal) => Promise<FinishedCommand>): Performer {
  let unkillable: readonly number[] = [];
  return {
    run: async (signal) => {
      unkillable = unkillable.filter(processExists);
      if (unkillable.length > 0) return stuck(unkillable);
      const finished = await start(signal);
      unkillable = finished.unkillable;
      return resultOf(finished);
    },
  };
}

function stuck(pids: readonly number[]): CheckResult {
  return checkResult(
    "could-not-run",
    `process ${pids.join(", ")} of an earlier run cannot be killed: it waits in the kernel, mostly for a disk or a network file system`,
  );
}

function resultOf({ ending, lastLine }: FinishedCommand): CheckResult {
  const more = { lastLine };
  const words = endingInWords(ending);
  switch (ending.kind) {
    case "exited":
      return checkResult(ending.status === 0 ? "ok" : "failed", words, more);
    case "timed-out":
      return checkResult("timed-out", words, more);
    case "not-run":
      return checkResult("could-not-run", words, more);
    case "signalled":
    case "stopped":
    case "flooded":
    case "left-processes":
      return checkResult("failed", words, more);
  }
}

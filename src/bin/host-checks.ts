// The checks of this host: what runs them, with everything that they need of it.

import type { LinuxHost } from "../../adapters/linux/index.ts";
import { createPerformer } from "../checks/create.ts";
import { CheckRunner } from "../checks/runner.ts";
import { recoveryPerformer } from "../checks/script.ts";
import type { MakeChecks } from "../node/health.ts";
import type { Logger } from "../ports/logger.ts";

/** A maker of checks on this host, and how to end what it has made. */
export interface HostChecks {
  readonly make: MakeChecks;
  /** Ends all checks and recoveries, and waits for their processes; the answer names the checks of which some are left. */
  stop(withinMs: number): Promise<readonly string[]>;
}

/** Checks of this host. */
export function hostChecks(host: LinuxHost, log: Logger): HostChecks {
  const { timers, packets, startProgram, watchExit } = host;
  let runner: CheckRunner | undefined;
  return {
    make: ({ linkNews, onChange }) => {
      runner = new CheckRunner({
        timers,
        log,
        performer: (options) => createPerformer(options, { timers, log, packets, linkNews, startProgram, watchExit }),
        recovery: (options) => recoveryPerformer(options, { timers, startProgram }),
        onChange,
      });
      return runner;
    },
    stop: async (withinMs) => (await runner?.stop(withinMs)) ?? [],
  };
}

// The one list of kinds of checks.

import type { Timers } from "../ports/clock.ts";
import type { PacketLink } from "../ports/host.ts";
import type { Logger } from "../ports/logger.ts";
import type { ExitWatch, StartProgram } from "../ports/programs.ts";
import { filePerformer } from "./file.ts";
import { gatewayPerformer } from "./gateway.ts";
import { httpPerformer } from "./http.ts";
import { InterfacePerformer, type LinkNews } from "./interface.ts";
import type { CheckOptions } from "../config/check-options.ts";
import type { Performer } from "./performer.ts";
import { ProcessPerformer } from "./process.ts";
import { scriptPerformer } from "./script.ts";
import { tcpPerformer } from "./tcp.ts";

/** What the checks of a host need. */
export interface CheckDeps {
  readonly timers: Timers;
  readonly log: Logger;
  readonly packets: PacketLink;
  readonly linkNews: LinkNews;
  readonly watchExit?: ExitWatch | undefined;
  readonly startProgram?: StartProgram | undefined;
}

/** Makes what performs a check. Throws "config" when the options make no sense: a URL that is none, a bad expression. */
export function createPerformer(options: CheckOptions, deps: CheckDeps): Performer {
  switch (options.kind) {
    case "script":
      return scriptPerformer(options, deps);
    case "http":
      return httpPerformer(options);
    case "tcp":
      return tcpPerformer(options);
    case "process":
      return new ProcessPerformer(options, deps);
    case "file":
      return filePerformer(options, deps);
    case "gateway":
      return gatewayPerformer(options, deps);
    case "interface":
      return new InterfacePerformer(options, deps);
  }
}

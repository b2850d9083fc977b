// The real servers of this host: whether each has its VIP on lo, and says nothing of it.

import { isVipdError, messageOf } from "../../base/errors.ts";
import type { Config } from "../../config/types.ts";
import type { VipctlDeps } from "../deps.ts";
import { realServerText } from "../render/real-servers.ts";
import { failure, fine, type Finding, warning } from "./finding.ts";

const PUT_RIGHT =
  "vipctl realserver up puts it right, vipctl realserver down takes it back; vipd looks after those of the file";

/** Looks at those of the configuration, and at those that were brought up by hand. */
export async function examineRealServers(config: Config, deps: VipctlDeps): Promise<readonly Finding[]> {
  try {
    const servers = await deps.openRealServers?.(config.stateDir, deps.signal);
    if (servers === undefined) return [];
    try {
      return servers.look(config.realServers).map((server) => {
        const text = realServerText(server);
        const bringUp = `vipctl realserver up ${server.name} brings it up`;
        if (server.trouble !== null) return failure("network", text, server.state === "up" ? PUT_RIGHT : bringUp);
        return server.state === "up" ? fine("network", text) : warning("network", text, bringUp);
      });
    } finally {
      servers.close();
    }
  } catch (error) {
    if (isVipdError(error, "aborted")) throw error;
    if (config.realServers.length === 0) return [];
    return [warning("network", `the real servers could not be looked at: ${messageOf(error)}`, "check again as root")];
  }
}

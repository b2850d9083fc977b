// What people have the daemon do through its admin socket. Each is logged with who asked for it.

import type { Caller } from "../admin/callers.ts";
import type { AdminHandler } from "../admin/server.ts";
import type { Logger } from "../ports/logger.ts";
import type { Daemon } from "./daemon.ts";

/** The part of the daemon that they need. */
export type Actor = Pick<Daemon, "stepDown" | "maintain">;

/** The actions of the admin socket. */
export function adminActions(daemon: Actor, log: Logger): Pick<AdminHandler, "stepDown" | "maintenance"> {
  return {
    stepDown: ({ election, to }, caller) => {
      log.info({ vip: election, to, ...callerFields(caller) }, `step-down asked for by ${callerName(caller)}`);
      const refused = daemon.stepDown(election, to);
      if (refused !== undefined) log.info({ vip: election }, `step-down refused: ${refused}`);
      return Promise.resolve({ accepted: refused === undefined, reason: refused ?? `handing ${election} over` });
    },
    maintenance: async ({ on, vip, reason }, caller) => {
      const what = on ? "maintenance" : "resume";
      log.info({ vip, reason, ...callerFields(caller) }, `${what} asked for by ${callerName(caller)}`);
      const refused = daemon.maintain(vip, on ? reason : null);
      if (refused !== undefined) log.info({ vip }, `${what} refused: ${refused}`);
      return { accepted: refused === undefined, reason: refused ?? `${vip ?? "this node"}: ${what} is in force` };
    },
  };
}

function callerFields(caller: Caller | null): { readonly uid: number | null; readonly callerPid: number | null } {
  return { uid: caller?.uid ?? null, callerPid: caller?.pid ?? null };
}

function callerName(caller: Caller | null): string {
  return caller === null ? "a user of the admin socket" : `uid ${caller.uid} (pid ${caller.pid})`;
}

// The log lines of an ownership change: what, why, and under which tokens.

import type { Grant, Loss } from "../ports/elector.ts";
import type { Logger } from "../ports/logger.ts";

/** Losses of these kinds ask for somebody's attention: nobody wanted them. */
const UNWANTED: readonly string[] = ["lease-expired", "session-lost", "too-slow", "hold-failed", "adverts-late"];

/** A line for each VIP that this node holds from now on. */
export function logGains(log: Logger, grants: readonly Grant[]): void {
  for (const { election, token, previousToken, reason, vacantMs } of grants) {
    const tokens = { token: String(token), previousToken: asText(previousToken) };
    const unheld = vacantMs === null || vacantMs < 1 ? "" : `; nobody held it for ${(vacantMs / 1_000).toFixed(1)} s`;
    log.info(
      { vip: election, ...tokens, reason: reason.code, vacantMs: vacantMs === null ? null : Math.round(vacantMs) },
      `became the holder (MASTER): ${reason.text}${unheld}`,
    );
  }
}

/** A line for each VIP that this node gives up. */
export function logLosses(log: Logger, losses: readonly Loss[]): void {
  for (const { election, token, reason } of losses) {
    const fields = { vip: election, token: asText(token), reason: reason.code };
    if (UNWANTED.includes(reason.code)) log.warn(fields, `lost: ${reason.text}`);
    else log.info(fields, `released: ${reason.text}`);
  }
}

function asText(token: bigint | null): string | null {
  return token === null ? null : String(token);
}

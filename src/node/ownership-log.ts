// The log lines of an ownership change: what, why, and under which tokens.

import type { Eligibility, EligibilitySource } from "./eligibility.ts";
import type { Grant, Loss } from "../ports/elector.ts";
import type { Logger } from "../ports/logger.ts";

/** Losses of these kinds ask for somebody's attention: nobody wanted them. */
const UNWANTED: readonly string[] = [
  "lease-expired",
  "session-lost",
  "too-slow",
  "hold-failed",
  "host-released",
  "adverts-late",
];

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

/** So many VIPs are named in one line. */
const MAX_NAMED = 8;

/** A line for each reason for which VIPs cannot be held here as it is now: others hold them, or nobody. */
export function logStandingBack(
  log: Logger,
  vips: readonly { readonly name: string }[],
  eligibility: Eligibility,
): void {
  const byReason = new Map<
    string,
    { readonly source: EligibilitySource; readonly code: string; readonly names: string[] }
  >();
  for (const { name } of vips)
    for (const { source, reason } of eligibility.of(name)) {
      if (source !== "link" && source !== "address" && source !== "arp-settings") continue;
      const group = byReason.get(reason.text) ?? { source, code: reason.code, names: [] };
      byReason.set(reason.text, group);
      group.names.push(name);
    }
  for (const [text, { source, code, names }] of byReason) {
    const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : "";
    const level = source === "address" ? "error" : "warn";
    log[level]({ reason: code }, `cannot hold ${names.slice(0, MAX_NAMED).join(", ")}${more} for now: ${text}`);
  }
}

function asText(token: bigint | null): string | null {
  return token === null ? null : String(token);
}

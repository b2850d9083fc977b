// Who holds a VIP, in words.

import type { ElectionView } from "../../admin/views.ts";
import type { Owner } from "../owner.ts";
import { escapeControl, type Style } from "./text.ts";
import { formatMoment, formatSpan } from "./time.ts";

/** The lines for a person. */
export function describeOwner(
  { election, confirmed, formerHolder, wire, via }: Owner,
  style: Style,
  wallMs: number,
): readonly string[] {
  const name = style.bold(escapeControl(election.name));
  const since =
    election.sinceWallMs === null
      ? ""
      : ` since ${formatMoment(election.sinceWallMs)} (${formatSpan(wallMs - election.sinceWallMs)})`;
  if (election.holder === null)
    return [
      `${name} is ${style.warn("free")}${since}: ${escapeControl(election.reason)}`,
      ...caveats(election, style),
      ...ownershipChange(formerHolder, style),
      ...wireLines(wire, style),
    ];
  return [
    `${name} is held by ${style.good(escapeControl(election.holder))}${since}`,
    `token ${election.token ?? "unknown"}, ${freshness(election, via, style)}${formerHolder === null ? confirmation(confirmed, election, style) : ""}`,
    ...ownershipChange(formerHolder, style),
    ...(election.conflict === null
      ? []
      : [style.bad(`somebody else answers for it: ${escapeControl(election.conflict)}`)]),
    ...caveats(election, style),
    ...wireLines(wire, style),
  ];
}

function freshness(
  { holder, holderAlive, lastHeartbeatAgeMs, ttlMs, elector }: ElectionView,
  via: Owner["via"],
  style: Style,
): string {
  if (lastHeartbeatAgeMs === null)
    return style.warn(`no session of ${escapeControl(holder ?? "")} stands in the store`);
  if (elector === "vrrp") return `elected by VRRP, last advert ${formatSpan(lastHeartbeatAgeMs)} ago`;
  const age = `last heartbeat ${formatSpan(lastHeartbeatAgeMs)} ago`;
  if (holderAlive === true) return via === "store" ? `${age} by its own clock` : age;
  return style.warn(`${age}, beyond its lease of ${formatSpan(ttlMs ?? 0)}: it may be gone`);
}

/** What the elector cannot promise. */
function caveats({ elector }: ElectionView, style: Style): readonly string[] {
  return elector?.includes("vrrp") === true
    ? [
        style.dim(
          "VRRP cannot promise that one node alone answers: routers that do not hear each other are all masters",
        ),
      ]
    : [];
}

function ownershipChange(formerHolder: string | null, style: Style): readonly string[] {
  return formerHolder === null
    ? []
    : [style.warn(`it has just changed hands: ${escapeControl(formerHolder)} held it before, so nothing is confirmed`)];
}

function confirmation(confirmed: boolean | null, { holder }: ElectionView, style: Style): string {
  if (confirmed === null) return "";
  return confirmed
    ? style.good(", and it has sent another heartbeat")
    : style.bad(`, and no heartbeat of ${escapeControl(holder ?? "")} has come within its lease: not confirmed`);
}

function wireLines(wire: Owner["wire"], style: Style): readonly string[] {
  return wire === null
    ? []
    : wire.findings
        .map((finding) =>
          finding.agrees ? style.good(escapeControl(finding.text)) : style.bad(escapeControl(finding.text)),
        )
        .map((line) => `wire: ${line}`);
}

// Who holds a VIP, in words.

import type { ElectionView, StatusView } from "../../admin/views.ts";
import { VRRP_CAVEAT } from "../../base/vrrp.ts";
import type { Owner } from "../owner.ts";
import { isReleasedHere, isStatus } from "../source.ts";
import { escapeControl, type Style } from "./text.ts";
import { formatMoment, formatSpan } from "./time.ts";

/** The lines for a person. */
export function describeOwner(owner: Owner, style: Style, wallMs: number): readonly string[] {
  const { view, election, confirmed, formerHolder, wire, via } = owner;
  if (isStatus(view) && !view.store.ok)
    return [...describeCutOff(view, election, style, wallMs), ...wireLines(wire, style)];
  const name = style.bold(escapeControl(election.name));
  const since =
    election.sinceWallMs === null
      ? ""
      : ` since ${formatMoment(election.sinceWallMs)} (${formatSpan(wallMs - election.sinceWallMs)})`;
  if (election.holder === null)
    return [
      `${name} is ${election.reasonCode === "unreadable" ? style.warn("held by nobody that can be told") : `${style.warn("free")}${since}`}: ${escapeControl(election.reason)}`,
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

/** What this host surely knows comes first; what the store said last comes after it, as such. */
function describeCutOff(view: StatusView, election: ElectionView, style: Style, wallMs: number): readonly string[] {
  const name = style.bold(escapeControl(election.name));
  const host = `this host (${escapeControl(view.node)})`;
  const { holder, token, sinceWallMs, validForMs, role } = election;
  const since = sinceWallMs === null ? "" : ` since ${formatMoment(sinceWallMs)} (${formatSpan(wallMs - sinceWallMs)})`;
  if (role === "holder")
    return [
      `${name} is held by ${style.good(host)}${since}`,
      `token ${token ?? "unknown"}, for another ${formatSpan(validForMs ?? 0)}, unless the store answers before`,
      ...(election.conflict === null
        ? []
        : [style.bad(`somebody else answers for it: ${escapeControl(election.conflict)}`)]),
    ];
  const local = isReleasedHere(election, view)
    ? `${name} is ${style.warn("not held any more")} by ${host}: its lease ended while the store could not be reached`
    : `${name} is not held by ${host}; whether another host holds it, nobody can tell here`;
  const last = holder === null ? "that it was free" : `${escapeControl(holder)}${since}, token ${token ?? "unknown"}`;
  return [local, `the store's last word: ${last}`];
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
  return elector?.includes("vrrp") === true ? [style.dim(VRRP_CAVEAT)] : [];
}

function ownershipChange(formerHolder: string | null, style: Style): readonly string[] {
  return formerHolder === null
    ? []
    : [style.warn(`it has just moved: ${escapeControl(formerHolder)} held it before, so nothing is confirmed`)];
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

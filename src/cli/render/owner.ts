// Who holds a VIP, in words.

import type { ElectionView } from "../../admin/views.ts";
import type { Owner } from "../owner.ts";
import { harmless, type Style } from "./text.ts";
import { formatMoment, formatSpan } from "./time.ts";

/** The lines for a person. */
export function describeOwner(
  { election, confirmed, formerHolder, wire, via }: Owner,
  style: Style,
  wallMs: number,
): readonly string[] {
  const name = style.bold(harmless(election.name));
  const since =
    election.sinceWallMs === null
      ? ""
      : ` since ${formatMoment(election.sinceWallMs)} (${formatSpan(wallMs - election.sinceWallMs)})`;
  if (election.holder === null)
    return [
      `${name} is ${style.warn("free")}${since}: ${harmless(election.reason)}`,
      ...changeOfHands(formerHolder, style),
      ...wireLines(wire, style),
    ];
  return [
    `${name} is held by ${style.good(harmless(election.holder))}${since}`,
    `token ${election.token ?? "unknown"}, ${freshness(election, via, style)}${formerHolder === null ? confirmation(confirmed, election, style) : ""}`,
    ...changeOfHands(formerHolder, style),
    ...(election.conflict === null ? [] : [style.bad(`somebody else answers for it: ${harmless(election.conflict)}`)]),
    ...wireLines(wire, style),
  ];
}

function freshness(
  { holder, holderAlive, lastBeatAgeMs, ttlMs }: ElectionView,
  via: Owner["via"],
  style: Style,
): string {
  if (lastBeatAgeMs === null) return style.warn(`no session of ${harmless(holder ?? "")} stands in the store`);
  const age = `last beat ${formatSpan(lastBeatAgeMs)} ago`;
  if (holderAlive === true) return via === "store" ? `${age} by its own clock` : age;
  return style.warn(`${age}, beyond its lease of ${formatSpan(ttlMs ?? 0)}: it may be gone`);
}

function changeOfHands(formerHolder: string | null, style: Style): readonly string[] {
  return formerHolder === null
    ? []
    : [style.warn(`it has just changed hands: ${harmless(formerHolder)} held it before, so nothing is confirmed`)];
}

function confirmation(confirmed: boolean | null, { holder }: ElectionView, style: Style): string {
  if (confirmed === null) return "";
  return confirmed
    ? style.good(", and it has beaten again")
    : style.bad(`, and no beat of ${harmless(holder ?? "")} has come within its lease: not confirmed`);
}

function wireLines(wire: Owner["wire"], style: Style): readonly string[] {
  return wire === null
    ? []
    : wire.findings
        .map((finding) => (finding.agrees ? style.good(harmless(finding.text)) : style.bad(harmless(finding.text))))
        .map((line) => `wire: ${line}`);
}

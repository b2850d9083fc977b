// Whether the wire agrees with the store: a VIP that is held has one answerer, one that is free has none.

import type { ElectionView } from "../admin/views.ts";
import { VipdError } from "../base/errors.ts";
import type { VipAddress } from "../base/vip.ts";
import { parseCidr } from "../wire/ip.ts";
import type { VipctlDeps, WireReport } from "./deps.ts";
import type { Owner, WireFinding, WireVerdict } from "./owner.ts";
import { isStatus } from "./source.ts";

/** Asks the wire. Throws "privilege", "interface" and "kernel", and "interface" for an election without addresses. */
export async function verifyOnWire(owner: Owner, deps: VipctlDeps): Promise<WireVerdict> {
  const { election, view } = owner;
  const addresses = addressesOf(election);
  if (deps.probeWire === undefined || addresses.length === 0)
    throw new VipdError("interface", `${election.name} has no address that could be asked for on the wire`, {
      election: election.name,
    });
  const report = await deps.probeWire(addresses, deps.signal);
  const ownNode = isStatus(view) ? view.node : null;
  const findings = addresses.map(({ ip }) => judge(ip, election, report, ownNode));
  return { agrees: findings.every((finding) => finding.agrees), findings };
}

function addressesOf(election: ElectionView): readonly VipAddress[] {
  const name = election.interface;
  if (name === null) return [];
  return election.addresses.flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr === undefined ? [] : [{ family: cidr.family, ip: cidr.ip, prefix: cidr.prefix, interface: name }];
  });
}

function judge(ip: string, { holder, elector }: ElectionView, report: WireReport, ownNode: string | null): WireFinding {
  const answeredBy = [...new Set(report.answers.filter((answer) => answer.ip === ip).map(({ mac }) => mac))].sort();
  const boundHere = report.boundHere.includes(ip);
  const { agrees, text } = opinion(ip, elector === "vrrp" ? "VRRP says" : "the store says", {
    holder,
    here: boundHere,
    others: answeredBy,
    heldHere: ownNode === null ? null : ownNode === holder,
  });
  return { ip, agrees, text, answeredBy, boundHere };
}

/** Who answers for an address, and who is said to hold it. */
interface AnswersSeen {
  readonly holder: string | null;
  readonly here: boolean;
  readonly others: readonly string[];
  /** Whether the store names this host; `null`: it is not known which node this host is. */
  readonly heldHere: boolean | null;
}

function opinion(
  ip: string,
  says: string,
  { holder, here, others, heldHere }: AnswersSeen,
): { agrees: boolean; text: string } {
  const who = [...others, ...(here ? ["this host"] : [])].join(" and ");
  const count = others.length + (here ? 1 : 0);
  if (holder === null)
    return count === 0
      ? { agrees: true, text: `nobody answers for ${ip}, as ${says}` }
      : { agrees: false, text: `${who} has ${ip}, but ${says} that it is free` };
  if (count === 0) return { agrees: false, text: `nobody answers for ${ip}, but ${says} that ${holder} holds it` };
  if (count > 1)
    return { agrees: false, text: `${who} have ${ip} at the same time, but ${says} that ${holder} holds it` };
  if (heldHere === true && !here)
    return { agrees: false, text: `${who} answers for ${ip}, but ${says} that this host holds it` };
  if (heldHere === false && here)
    return { agrees: false, text: `this host has ${ip}, but ${says} that ${holder} holds it` };
  return {
    agrees: true,
    text: here ? `this host has ${ip}, and nobody else answers` : `${who} alone answers for ${ip}`,
  };
}

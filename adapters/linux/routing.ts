// Routes and rules of the host by rtnetlink. What vipd sets carries its protocol number: by that it is known again, and
// what others have set is neither replaced nor removed.

import { type RoutingEntry, routingKey, type VipRule } from "../../src/base/routing.ts";
import type { AddedEntry, RoutingFailure, RoutingTable } from "../../src/ports/routing.ts";
import { NLM_F_CREATE, NLM_F_EXCL, type NetlinkVerdict } from "../../src/wire/netlink.ts";
import {
  decodeRoute,
  encodeDeleteRoute,
  encodeNewRoute,
  encodeRouteDump,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
} from "../../src/wire/rtnetlink-routes.ts";
import {
  decodeRule,
  encodeRule,
  encodeRuleDump,
  RTM_DELRULE,
  RTM_GETRULE,
  RTM_NEWRULE,
} from "../../src/wire/rtnetlink-rules.ts";
import { ADDRESS_MARK } from "./addresses.ts";
import { EEXIST, ENODEV, ENOENT, ESRCH, kernelError } from "./errors.ts";
import { dumpLinks, findLink } from "./links.ts";
import { NETLINK_ROUTE, NetlinkSocket, type Request } from "./netlink.ts";
import { narrowerRules, removalSteps } from "./routing-removal.ts";

/** vipd's rtm_protocol and FRA_PROTOCOL: that of its addresses. No program that is listed in rt_protos has it. */
export const ROUTING_PROTOCOL = ADDRESS_MARK;

const FAMILIES = [4, 6] as const;

/** The routing of the network namespace that the thread is in now. */
export class KernelRouting implements RoutingTable {
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink", true);

  add(entries: readonly RoutingEntry[]): readonly AddedEntry[] {
    return this.#add(entries).map((answer, i): AddedEntry => {
      const entry = entries[i];
      return answer.kind === "exists" && entry?.kind === "rule" ? this.#addBesideNarrower(entry) : answer;
    });
  }

  #add(entries: readonly RoutingEntry[]): readonly AddedEntry[] {
    const indexes = this.#indexesOf(entries);
    const isMissing = (entry: RoutingEntry): boolean => interfaceOf(entry) !== undefined && !hasIndex(entry, indexes);
    const possible = entries.filter((entry) => !isMissing(entry));
    const answers = this.#socket.verdictsOn(possible.map((entry) => addRequest(entry, indexes)));
    const verdicts = new Map(possible.map((entry, i) => [entry, answers[i]]));
    return entries.map((entry): AddedEntry => {
      if (isMissing(entry)) return { kind: "refused", message: `there is no interface ${interfaceOf(entry)}` };
      const verdict = verdicts.get(entry);
      if (verdict === undefined || verdict.errno === 0) return { kind: "added" };
      if (verdict.errno === EEXIST) return { kind: "exists" };
      return { kind: "refused", message: refusal(`add ${entry.kind}`, verdict) };
    });
  }

  remove(entries: readonly RoutingEntry[]): readonly RoutingFailure[] {
    if (entries.length === 0) return [];
    const unwanted = new Map(entries.map((entry) => [routingKey(entry), entry]));
    const kinds = new Set(entries.map(kindOf));
    const steps = removalSteps(
      new Set(unwanted.keys()),
      this.#list((kind) => kinds.has(kind)),
    );
    const indexes = this.#indexesOf(steps.map(({ entry }) => entry));
    const verdicts = this.#socket.verdictsOn(
      steps.map(({ act, entry }) => (act === "add" ? addRequest(entry, indexes) : removeRequest(entry, indexes))),
    );
    return steps.flatMap(({ act, entry }, i) => {
      const [verdict, asked] = [verdicts[i], unwanted.get(routingKey(entry))];
      // An entry that was taken along and did not come back is told as gone by the kernel, and put back by its VIP.
      if (act === "add" || asked === undefined || verdict === undefined || IS_GONE.has(verdict.errno)) return [];
      return [{ entry: asked, message: refusal(`delete ${entry.kind}`, verdict) }];
    });
  }

  ours(): readonly RoutingEntry[] {
    return this.#list(() => true);
  }

  close(): void {
    this.#socket.close();
  }

  /**
   * The kernel takes a rule for one of the same protocol that is there, although that one names a network more: those go for
   * the moment in which the wider one is added.
   */
  #addBesideNarrower(rule: VipRule): AddedEntry {
    const exists: AddedEntry = { kind: "exists" };
    const present = this.#rules(rule.family);
    if (present.some((entry) => routingKey(entry) === routingKey(rule))) return exists;
    const narrower = narrowerRules(rule, present);
    if (narrower.length === 0 || this.remove(narrower).length > 0) return exists;
    const [answer = exists] = this.#add([rule]);
    // One that does not come back is told as gone by the kernel, and put back by its VIP.
    this.#add(narrower);
    return answer;
  }

  /** What carries vipd's protocol number, of the wanted kinds: a host may have a million routes of others to go through. */
  #list(isWanted: (kind: string) => boolean): readonly RoutingEntry[] {
    const names = new Map(dumpLinks(this.#socket).map((link) => [link.index, link.name]));
    return FAMILIES.flatMap((family) => [
      ...(isWanted(kindOf({ kind: "route", family })) ? this.#routes(family, names) : []),
      ...(isWanted(kindOf({ kind: "rule", family })) ? this.#rules(family) : []),
    ]);
  }

  #routes(family: 4 | 6, names: ReadonlyMap<number, string>): readonly RoutingEntry[] {
    const payload = encodeRouteDump(family, ROUTING_PROTOCOL);
    const messages = this.#socket.dump("list routes", { type: RTM_GETROUTE, flags: 0, payload });
    return messages.flatMap(({ type, payload: told }) => {
      const record = type === RTM_NEWROUTE ? decodeRoute(told) : undefined;
      if (record?.protocol !== ROUTING_PROTOCOL) return [];
      const name = record.index === undefined ? undefined : names.get(record.index);
      return [{ ...record.route, ...(name === undefined ? {} : { interface: name }) }];
    });
  }

  #rules(family: 4 | 6): readonly RoutingEntry[] {
    const payload = encodeRuleDump(family);
    const messages = this.#socket.dump("list rules", { type: RTM_GETRULE, flags: 0, payload });
    return messages.flatMap(({ type, payload: told }) => {
      const record = type === RTM_NEWRULE ? decodeRule(told) : undefined;
      return record?.protocol === ROUTING_PROTOCOL ? [record.rule] : [];
    });
  }

  /** The numbers of the interfaces that these entries name, where there are such. */
  #indexesOf(entries: readonly RoutingEntry[]): ReadonlyMap<string, number> {
    const names = new Set(entries.flatMap((entry) => interfaceOf(entry) ?? []));
    return new Map(
      [...names].flatMap((name) => {
        const link = findLink(this.#socket, name);
        return link === undefined ? [] : [[name, link.index] as const];
      }),
    );
  }
}

/** The key of a route or a rule of vipd's that the kernel tells to be gone; undefined for all other news. */
export function removedKey(message: { readonly type: number; readonly payload: Uint8Array }): string | undefined {
  if (message.type === RTM_DELROUTE) {
    const record = decodeRoute(message.payload);
    return record?.protocol === ROUTING_PROTOCOL ? routingKey(record.route) : undefined;
  }
  const record = message.type === RTM_DELRULE ? decodeRule(message.payload) : undefined;
  return record?.protocol === ROUTING_PROTOCOL ? routingKey(record.rule) : undefined;
}

/** The kernel's words for "there is no such thing"; a route goes with its interface. */
const IS_GONE: ReadonlySet<number> = new Set([0, ESRCH, ENOENT, ENODEV]);

function kindOf({ kind, family }: Pick<RoutingEntry, "kind" | "family">): string {
  return `${kind} ${family}`;
}

/** The interface that an entry needs; a rule may name one that is still to come. */
function interfaceOf(entry: RoutingEntry): string | undefined {
  return entry.kind === "route" ? entry.interface : undefined;
}

function hasIndex(entry: RoutingEntry, indexes: ReadonlyMap<string, number>): boolean {
  return indexes.has(interfaceOf(entry) ?? "");
}

function addRequest(entry: RoutingEntry, indexes: ReadonlyMap<string, number>): Request {
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  const protocol = ROUTING_PROTOCOL;
  if (entry.kind === "rule") return { type: RTM_NEWRULE, flags, payload: encodeRule({ rule: entry, protocol }) };
  const payload = encodeNewRoute({ route: entry, protocol, ...indexOf(entry.interface, indexes) });
  return { type: RTM_NEWROUTE, flags, payload };
}

function removeRequest(entry: RoutingEntry, indexes: ReadonlyMap<string, number>): Request {
  const protocol = ROUTING_PROTOCOL;
  if (entry.kind === "rule") return { type: RTM_DELRULE, flags: 0, payload: encodeRule({ rule: entry, protocol }) };
  const payload = encodeDeleteRoute({ route: entry, protocol, ...indexOf(entry.interface, indexes) });
  return { type: RTM_DELROUTE, flags: 0, payload };
}

function indexOf(name: string | undefined, indexes: ReadonlyMap<string, number>): { readonly index?: number } {
  const index = indexes.get(name ?? "");
  return index === undefined ? {} : { index };
}

function refusal(call: string, { errno, reason }: NetlinkVerdict): string {
  const { message } = kernelError(`rtnetlink ${call}`, errno);
  return reason === undefined ? message : `${message}: ${reason}`;
}

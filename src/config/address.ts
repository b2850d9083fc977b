// The addresses of a VIP as the file writes them: `10.0.0.10/24`, or a group {address, interface, label, ...}.

import type { Scope } from "../base/vip.ts";
import {
  type Cidr,
  isLimitedBroadcast,
  isLoopback,
  isMappedIpv4,
  isMulticast,
  isNetworkOrBroadcast,
  isReserved,
  isUnspecified,
  parseCidr,
  parseIp,
} from "../wire/ip.ts";
import { entry } from "./entry.ts";
import { leaf, notThat, oneOf, text, type Wrong, yesNo } from "./leaf.ts";

/** The kernel's limit of interface names and address labels (IFNAMSIZ less the NUL), in bytes. */
const MAX_INTERFACE_BYTES = 15;

/** One address as written; what it leaves out comes from its VIP. */
export interface WrittenAddress {
  readonly cidr: Cidr;
  readonly interface?: string;
  readonly label?: string;
  readonly scope?: Scope;
  readonly noPrefixRoute?: true;
}

/** The name of a network interface, as Linux allows it (dev_valid_name). */
export const interfaceName = text(
  {
    description: "Network interface that carries the addresses, such as eth0",
    minLength: 1,
    maxLength: MAX_INTERFACE_BYTES,
  },
  "the name of a network interface such as eth0",
  (value) => wrongInterfaceName(value, "is not a name of an interface"),
);

const label = text(
  {
    description: "Label of an IPv4 address; begins with the interface's name",
    minLength: 1,
    maxLength: MAX_INTERFACE_BYTES,
  },
  "a label such as eth0:web",
  (value) => {
    const bytes = new TextEncoder().encode(value).length;
    if (value === "" || /[\s/\0]/u.test(value)) return { problem: "is not a label", fix: "use one such as eth0:web" };
    if (bytes <= MAX_INTERFACE_BYTES) return undefined;
    return {
      problem: `is ${bytes} bytes long`,
      fix: `keep it within ${MAX_INTERFACE_BYTES} bytes, the kernel's limit`,
    };
  },
);

const cidr = leaf<Cidr>(
  {
    type: "string",
    pattern: "^[0-9A-Fa-f:.]+/[0-9]{1,3}$",
    description: "Address with its prefix length, such as 10.0.0.10/24",
  },
  (input) => {
    if (typeof input !== "string") return notThat(input, CIDR_EXAMPLES);
    const parsed = parseCidr(input.trim());
    const wrong = parsed === undefined ? notCidr(input.trim()) : unsuitable(parsed);
    return wrong ?? { value: parsed as Cidr };
  },
);

const CIDR_EXAMPLES = "an address with its prefix length, such as 10.0.0.10/24 or 2001:db8::10/64";

/** Where an address or a route is valid, as rtnetlink has it. */
export const scope = oneOf("Where it is valid (rtnetlink's scope)", ["global", "site", "link", "host"]);

/** One entry of `addresses`. */
export const address = entry({
  description: "An address of the VIP",
  short: "address",
  shape: {
    address: cidr,
    interface: interfaceName.optional(),
    label: label.optional(),
    scope: scope.optional(),
    noPrefixRoute: yesNo("Whether the kernel makes no route to the address's network").optional(),
  },
  build: (group): WrittenAddress => ({
    cidr: group.address,
    ...(group.interface === undefined ? {} : { interface: group.interface }),
    ...(group.label === undefined ? {} : { label: group.label }),
    ...(group.scope === undefined ? {} : { scope: group.scope }),
    ...(group.noPrefixRoute === true ? { noPrefixRoute: true } : {}),
  }),
});

function notCidr(input: string): Wrong {
  const shown = JSON.stringify(input.slice(0, 64));
  const alone = parseIp(input);
  if (alone !== undefined) {
    const example = `${alone.ip}/${alone.family === 4 ? 24 : 64}`;
    return { problem: `${shown} has no prefix length`, fix: `add that of the network, such as ${example}` };
  }
  const [first = "", ...rest] = input.split(/\s+/u);
  if (rest.length > 0 && parseCidr(first) !== undefined)
    return { problem: `${shown} is more than an address`, fix: `write ${asGroup(first, rest)}` };
  const [ip = "", mask = ""] = input.split("/");
  const before = parseIp(ip);
  const prefix = prefixOfMask(mask);
  if (before?.family === 4 && prefix !== undefined)
    return { problem: `${shown} has a netmask`, fix: `write ${before.ip}/${prefix}` };
  if (before !== undefined)
    return {
      problem: `${shown} has no valid prefix length`,
      fix: `use 0 to ${before.family === 4 ? 32 : 128} after the '/'`,
    };
  return { problem: `${shown} is not an address in CIDR form`, fix: `use ${CIDR_EXAMPLES}` };
}

/** An address as ip(8) and keepalived write it, with the words that follow it, as a group. */
function asGroup(cidr: string, words: readonly string[]): string {
  const after = (word: string): string | undefined => {
    const at = words.indexOf(word);
    return at === -1 ? undefined : words[at + 1];
  };
  const [link, name] = [after("dev"), after("label")];
  const keys = [
    `address: ${cidr}`,
    ...(link === undefined ? [] : [`interface: ${link}`]),
    ...(name === undefined ? [] : [`label: "${name}"`]),
  ];
  return `{ ${keys.join(", ")} }`;
}

/** The prefix length that a netmask such as 255.255.255.0 stands for; `undefined`: it is none. */
function prefixOfMask(text: string): number | undefined {
  const mask = parseIp(text);
  if (mask?.family !== 4) return undefined;
  const bits = [...mask.bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return /^1*0*$/u.test(bits) ? bits.replaceAll("0", "").length : undefined;
}

/** Addresses that no host can hold as a VIP, each with what it is. */
const UNSUITABLE: readonly (readonly [test: (cidr: Cidr) => boolean, what: string])[] = [
  [isUnspecified, "the unspecified address"],
  [isLoopback, "a loopback address"],
  [isMulticast, "a multicast address"],
  [isLimitedBroadcast, "the broadcast address"],
  [isReserved, "a reserved address"],
  [isMappedIpv4, "an IPv4 address in IPv6 form"],
  [isNetworkOrBroadcast, "the network's own or its broadcast address"],
  [({ prefix }) => prefix === 0, "an address whose network is the whole Internet (prefix length 0)"],
];

function unsuitable(parsed: Cidr): Wrong | undefined {
  const what = UNSUITABLE.find(([test]) => test(parsed))?.[1];
  return what === undefined ? undefined : { problem: `is ${what}`, fix: "use a unicast address of a host" };
}

function wrongInterfaceName(value: string, problem: string): Wrong | undefined {
  const bytes = new TextEncoder().encode(value).length;
  if (bytes > MAX_INTERFACE_BYTES)
    return {
      problem: `is ${bytes} bytes long`,
      fix: `keep it within ${MAX_INTERFACE_BYTES} bytes, the kernel's limit`,
    };
  const wrong = value === "" || value === "." || value === ".." || /[\s/:\0]/u.test(value);
  return wrong ? { problem, fix: "use one as `ip link` shows it, without '/', ':' or spaces" } : undefined;
}

// Why a received packet is no advertisement that this host may believe: each reason by name, with the values that offend.

/** A reason to drop a packet. */
export type VrrpFault =
  /** The packet ends within its IP header. */
  | { readonly reason: "ip-header-short"; readonly bytes: number }
  | { readonly reason: "ip-version"; readonly version: number }
  /** The IPv4 header states a length below 20 bytes or beyond the packet. */
  | { readonly reason: "ip-header-length"; readonly headerBytes: number }
  /** The packet is shorter than its IP header states, or the stated length does not hold the header. */
  | { readonly reason: "ip-length"; readonly stated: number; readonly received: number }
  | { readonly reason: "ip-checksum" }
  | { readonly reason: "ip-fragment" }
  | { readonly reason: "ip-protocol"; readonly protocol: number }
  /** TTL or hop limit: a multicast advert that is not at 255 has passed a router. */
  | { readonly reason: "hop-limit"; readonly hopLimit: number }
  /** The message ends within its fixed fields. */
  | { readonly reason: "short"; readonly bytes: number }
  | { readonly reason: "version"; readonly version: number }
  | { readonly reason: "type"; readonly type: number }
  | { readonly reason: "vrid-zero" }
  | { readonly reason: "no-addresses" }
  | { readonly reason: "length"; readonly expected: number; readonly received: number }
  | { readonly reason: "checksum"; readonly found: number; readonly expected: number }
  | { readonly reason: "interval-zero" }
  /** Neither 0 (none) nor 1 (plain text password); 2 was IPsec AH, which is another IP protocol. */
  | { readonly reason: "auth-type"; readonly authType: number }
  /** The sender authenticates in another way than is configured here. */
  | { readonly reason: "auth-mismatch"; readonly found: string; readonly expected: string }
  | { readonly reason: "password-mismatch" }
  | { readonly reason: "trailer-type"; readonly type: number }
  | { readonly reason: "trailer-reserved"; readonly reserved: number }
  | { readonly reason: "trailer-key"; readonly keyId: number }
  | { readonly reason: "trailer-mismatch" }
  /** The sender's clock, or a replayed packet, is this many seconds behind the own clock; negative: ahead. */
  | { readonly reason: "trailer-stale"; readonly behindS: number; readonly windowS: number }
  | { readonly reason: "trailer-replayed" };

/** The name of a reason. */
export type VrrpFaultReason = VrrpFault["reason"];

const SENTENCES: { readonly [R in VrrpFaultReason]: (fault: Extract<VrrpFault, { reason: R }>) => string } = {
  "ip-header-short": ({ bytes }) => `the packet ends within its IP header (${bytes} bytes)`,
  "ip-version": ({ version }) => `the IP header has version ${version}`,
  "ip-header-length": ({ headerBytes }) => `the IPv4 header states an impossible length of ${headerBytes} bytes`,
  "ip-length": ({ stated, received }) => `the IP header states ${stated} bytes, ${received} arrived`,
  "ip-checksum": () => "the checksum of the IPv4 header is wrong",
  "ip-fragment": () => "the packet is a fragment",
  "ip-protocol": ({ protocol }) => `the packet carries IP protocol ${protocol}, not 112`,
  "hop-limit": ({ hopLimit }) => `the TTL or hop limit is ${hopLimit}, not 255: the packet has passed a router`,
  short: ({ bytes }) => `the message has ${bytes} bytes, 8 is the least`,
  version: ({ version }) => `version ${version} is not spoken here`,
  type: ({ type }) => `the message has type ${type}, not 1 (advertisement)`,
  "vrid-zero": () => "the virtual router id is 0",
  "no-addresses": () => "the message names no address",
  length: ({ expected, received }) => `the message has ${received} bytes, its fields make ${expected}`,
  checksum: ({ found, expected }) => `the checksum is 0x${hex(found)}, not 0x${hex(expected)}`,
  "interval-zero": () => "the advertisement interval is 0",
  "auth-type": ({ authType }) => `the authentication type ${authType} is neither 0 (none) nor 1 (password)`,
  "auth-mismatch": ({ found, expected }) =>
    `the sender authenticates by ${found}, but ${expected} is configured on this host`,
  "password-mismatch": () => "the password differs from the one that is configured on this host",
  "trailer-type": ({ type }) => `the authentication trailer has the unknown type ${type}`,
  "trailer-reserved": ({ reserved }) => `the reserved field of the authentication trailer is ${reserved}, not 0`,
  "trailer-key": ({ keyId }) => `the authentication trailer names key ${keyId}, which is not configured on this host`,
  "trailer-mismatch": () => "the HMAC of the authentication trailer is wrong: another key, or a changed packet",
  "trailer-stale": ({ behindS, windowS }) =>
    `the authentication trailer is ${behindS} s behind the clock of this host, ${windowS} s are allowed`,
  "trailer-replayed": () => "the sequence number of the authentication trailer was used before",
};

/** A sentence for people, without the sender. */
export function describeVrrpFault(fault: VrrpFault): string {
  const sentence = SENTENCES[fault.reason] as (fault: VrrpFault) => string;
  return sentence(fault);
}

function hex(value: number): string {
  return value.toString(16).padStart(4, "0");
}

// What a VRRP advertisement says, apart from how it is written on the wire.

/** The versions in use: 2 (RFC 3768, IPv4 only) and 3 (RFC 5798 and RFC 9568, IPv4 and IPv6). */
export type VrrpVersion = 2 | 3;

/** The content of an advertisement. */
export interface VrrpAdvert {
  readonly version: VrrpVersion;
  /** Virtual router id, 1 to 255. */
  readonly vrid: number;
  /** 0 to 255; see the two special values below. */
  readonly priority: number;
  /** Advertisement interval in milliseconds. Version 2 carries whole seconds (1 to 255), version 3 centiseconds (1 to 4095). */
  readonly intervalMs: number;
  /** The virtual addresses in canonical text form, all of one family, in the order of the message; 1 to 255 of them. */
  readonly addresses: readonly string[];
}

/** The priority of a master that stops: its backups need not wait for silence. */
export const VRRP_PRIORITY_STOP = 0;

/** The priority of the router that owns the addresses as its own (RFC 3768, section 5.3.4). */
export const VRRP_PRIORITY_OWNER = 255;

/** What no VRRP router can promise: said in the log, by vipctl, and in the documents. */
export const VRRP_CAVEAT =
  "VRRP cannot promise that one node alone answers: routers that do not hear each other are all masters";

/** Where adverts go. */
export type VrrpReach =
  /** To the group 224.0.0.18 or ff02::12 of one link. */
  | { readonly kind: "multicast" }
  /** To each of these addresses (canonical text). */
  | { readonly kind: "unicast"; readonly peers: readonly string[] };

/**
 * Over what version 3's checksum runs on IPv4. RFC 5798 left it open. keepalived includes a pseudo header and refuses the other
 * form; RFC 9568, section 5.2.8, has the message alone.
 */
export type VrrpChecksum = "pseudo-header" | "message";

/** Bounds of such a key, as keepalived has them. */
export const MIN_KEY_BYTES = 32;
export const MAX_KEY_BYTES = 64;

/** A key of the authentication trailer that sender and receivers share. */
export interface VrrpKey {
  /** 0 to 255: which key a trailer was made with, so that keys can be changed one host after the other. */
  readonly id: number;
  /** MIN_KEY_BYTES to MAX_KEY_BYTES. */
  readonly secret: Uint8Array;
}

/** How the routers of one virtual router authenticate. */
export type VrrpAuthentication =
  | { readonly kind: "none" }
  /** Version 2 only: plain text; what is longer than 8 bytes is cut off, as keepalived does. */
  | { readonly kind: "password"; readonly password: string }
  /** keepalived 2.4.1 and later: `windowS` is how many seconds the clocks of sender and receiver may differ. */
  | {
      readonly kind: "hmac";
      readonly keys: readonly VrrpKey[];
      readonly sendKeyId: number;
      readonly windowS: number;
    };

/** No authentication. */
export const NO_AUTHENTICATION: VrrpAuthentication = { kind: "none" };

/** What a raw socket received: with its header on IPv4; on IPv6 without, and the socket knows whom it was for. */
export type VrrpReceived =
  | { readonly family: 4; readonly packet: Uint8Array }
  | {
      readonly family: 6;
      readonly source: Uint8Array;
      readonly destination: Uint8Array;
      readonly message: Uint8Array;
    };

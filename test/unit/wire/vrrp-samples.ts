// What the tests of VRRP share: the key of the HMAC draft's examples, and adverts made by chance.

import { createHmac } from "node:crypto";
import type { Random } from "../../../src/base/random.ts";
import type { VrrpAdvert, VrrpKey } from "../../../src/base/vrrp.ts";
import { formatIp } from "../../../src/wire/ip.ts";
import type { Ends } from "../../../src/wire/vrrp.ts";
import type { HmacSha256, Signature } from "../../../src/wire/vrrp-trailer.ts";

/** HMAC-SHA256 by Node's own library. */
export const hmac: HmacSha256 = (key, text) => new Uint8Array(createHmac("sha256", key).update(text).digest());

/** The key of the draft's examples. */
export const DRAFT_KEY: VrrpKey = { id: 1, secret: Uint8Array.from({ length: 32 }, (_, i) => i) };

/** The sequence number of the draft's examples. */
export const DRAFT_SEQUENCE = 0x6800000080000000n;

/** How the draft's examples are signed. */
export const DRAFT_SIGNATURE: Signature = { key: DRAFT_KEY, sequence: DRAFT_SEQUENCE, hmac };

/** Some bytes. */
export function randomBytes(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.int(0, 255));
}

/** An advert that can be written, and the ends of its packet. */
export function randomAdvert(random: Random): { readonly advert: VrrpAdvert; readonly ends: Ends } {
  const addressBytes = random.pick([4, 16]);
  const version = addressBytes === 4 && random.chance(0.5) ? 2 : 3;
  const address = (): Uint8Array => randomBytes(random, addressBytes);
  const advert: VrrpAdvert = {
    version,
    vrid: random.int(1, 255),
    priority: random.int(0, 255),
    intervalMs: version === 2 ? random.int(1, 255) * 1000 : random.int(1, 4095) * 10,
    addresses: Array.from({ length: random.int(1, random.chance(0.1) ? 255 : 5) }, () => formatIp(address())),
  };
  return { advert, ends: { source: address(), destination: address() } };
}

// Mutated adverts: vectors and random ones with bytes changed, cut off, put in and mixed. Whatever the bytes are, the decoder
// gives a message or a named fault, and what it takes for a message can be written again and says the same.

import type { Random } from "../../../src/base/random.ts";
import { concatBytes, sameBytes } from "../../../src/wire/bytes.ts";
import { encodeIpv4 } from "../../../src/wire/ip-header.ts";
import { decodeVrrpPacket, encodeVrrp, VRRP_PROTOCOL } from "../../../src/wire/vrrp.ts";
import type { EncodeOptions, VrrpMessage } from "../../../src/wire/vrrp.ts";
import { loadVectors } from "../../vectors/load.ts";
import { DRAFT_SIGNATURE, randomAdvert, randomBytes } from "./vrrp-samples.ts";

const frame = loadVectors("vrrp.hex");
const NAMES = [
  "v2-multicast",
  "v2-password",
  "v3-ipv4-multicast",
  "v3-ipv4-unicast",
  "v3-ipv6-multicast",
  "v3-ipv6-unicast",
  "ours-v3-ipv4-hmac",
  "ours-v3-ipv6-hmac",
];

/** What came of many mutants. */
export interface Tally {
  readonly accepted: number;
  /** Count by the name of the fault. */
  readonly faults: ReadonlyMap<string, number>;
}

/** Decodes `count` mutants; throws when one makes the decoder throw, or is accepted as something else than it says. */
export function fuzzVrrp(random: Random, count: number): Tally {
  const seeds: Uint8Array[] = NAMES.map((name) => frame(name).slice(14));
  const faults = new Map<string, number>();
  let accepted = 0;
  for (let i = 0; i < count; i += 1) {
    // A handful of fresh ones among the vectors, so that long lists and odd addresses come up, too.
    if (i % 1000 === 0) seeds.splice(NAMES.length, 1, randomPacket(random));
    const bytes = mutant(random, random.pick(seeds));
    const result = decodeVrrpPacket(bytes);
    if (result.kind === "rejected") faults.set(result.fault.reason, (faults.get(result.fault.reason) ?? 0) + 1);
    else {
      accepted += 1;
      checkFaithful(result.message, result.from, bytes);
    }
  }
  return { accepted, faults };
}

function randomPacket(random: Random): Uint8Array {
  const { advert, ends } = randomAdvert(random);
  const payload = encodeVrrp(advert, ends, random.chance(0.5) ? {} : { signature: DRAFT_SIGNATURE });
  if (ends.source.length === 4) return encodeIpv4({ ...ends, protocol: VRRP_PROTOCOL, hopLimit: 255, payload });
  const header = Uint8Array.of(0x60, 0, 0, 0, payload.length >> 8, payload.length & 0xff, VRRP_PROTOCOL, 255);
  return concatBytes(header, ends.source, ends.destination, payload);
}

function mutant(random: Random, seed: Uint8Array): Uint8Array {
  const kind = random.int(0, 9);
  if (kind === 0) return seed.slice(0, random.int(0, seed.length));
  if (kind === 1) return concatBytes(seed, randomBytes(random, random.int(1, 40)));
  if (kind === 2) return withRightSums(random, seed.slice());
  const copy = seed.slice();
  for (let i = random.int(1, 4); i > 0; i -= 1) {
    const at = random.int(0, copy.length - 1);
    if (random.chance(0.3)) copy[at] = (copy[at] ?? 0) ^ (1 << random.int(0, 7));
    else copy[at] = random.pick([0, 1, 2, 3, 0x7f, 0x80, 0xff, random.int(0, 255)]);
  }
  return copy;
}

/** Swaps two words of a message: no Internet checksum notices that, so that what is behind the checksum is met, too. */
function withRightSums(random: Random, copy: Uint8Array): Uint8Array {
  const start = (copy[0] ?? 0) >> 4 === 6 ? 40 : 20;
  const words = Math.floor((copy.length - start) / 2);
  const [a, b] = [start + 2 * random.int(0, words - 1), start + 2 * random.int(0, words - 1)];
  const [first, second] = [copy.slice(a, a + 2), copy.slice(b, b + 2)];
  copy.set(second, a);
  copy.set(first, b);
  return copy;
}

/** A message that was accepted is written again as it was read, apart from what has several forms. */
function checkFaithful(
  message: VrrpMessage,
  from: { readonly source: Uint8Array; readonly destination: Uint8Array } | undefined,
  bytes: Uint8Array,
): void {
  if (from === undefined) throw new Error("a message without its ends");
  const { authentication } = message;
  const options: EncodeOptions = authentication?.type === 1 ? { password: authentication.data } : {};
  const expected = normal(message.bytes, authentication?.type === 0);
  if (sameBytes(normal(encodeVrrp(message, from, options), false), expected)) return;
  throw new Error(`accepted and written otherwise: ${Buffer.from(bytes).toString("hex")}`);
}

/** Without the checksum, version 3's reserved bits, and version 2's data where there is no authentication. */
function normal(bytes: Uint8Array, blank: boolean): Uint8Array {
  const copy = bytes.slice();
  copy.set([0, 0], 6);
  if ((copy[0] ?? 0) >> 4 === 3) copy[4] = (copy[4] ?? 0) & 0x0f;
  if (blank) copy.fill(0, copy.length - 8);
  return copy;
}

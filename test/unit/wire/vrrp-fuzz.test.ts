// Adverts by chance: every one that can be written is read as the same, and no mutated one makes the decoder throw.

import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { decodeVrrp, encodeVrrp } from "../../../src/wire/vrrp.ts";
import type { EncodeOptions } from "../../../src/wire/vrrp.ts";
import { fuzzVrrp } from "./vrrp-mutants.ts";
import { DRAFT_SIGNATURE, randomAdvert, randomBytes } from "./vrrp-samples.ts";

describe("random adverts", () => {
  it("are read as they were written", () => {
    const random = seededRandom(51);
    for (let i = 0; i < 3_000; i += 1) {
      const { advert, ends } = randomAdvert(random);
      const password = advert.version === 2 && random.chance(0.5) ? { password: randomBytes(random, 8) } : {};
      const signature = random.chance(0.3) ? { signature: DRAFT_SIGNATURE } : {};
      const options: EncodeOptions = { ...password, ...signature, checksum: random.pick(["message", "pseudo-header"]) };
      const result = decodeVrrp(encodeVrrp(advert, ends, options), ends);
      expect(result).toMatchObject({ kind: "message", message: advert });
    }
  });
});

describe("mutated adverts", () => {
  it("300,000 of them give a message or a named fault, and what is accepted is what was said", () => {
    const { accepted, faults } = fuzzVrrp(seededRandom(112), 300_000);
    expect(accepted).toBeGreaterThan(1_000);
    const met = [
      "ip-header-short",
      "ip-version",
      "ip-header-length",
      "ip-length",
      "ip-checksum",
      "ip-protocol",
      "hop-limit",
      "version",
      "type",
      "vrid-zero",
      "no-addresses",
      "length",
      "checksum",
      "interval-zero",
      "auth-type",
    ];
    expect([...faults.keys()]).toEqual(expect.arrayContaining(met));
  }, 30_000);
});

// Hostile input for codecs: whatever the bytes, a decoder gives a value, undefined, or a RangeError.

import { seededRandom } from "../../../src/base/random.ts";

/** Every prefix of `bytes`, the whole and the empty one included. */
export function truncations(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length + 1 }, (_, length) => bytes.slice(0, length));
}

/** `count` copies of `bytes` in which a few random bytes were changed, the same ones at each run. */
export function mutations(bytes: Uint8Array, count: number, seed = 1): Uint8Array[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => {
    const copy = bytes.slice();
    for (let i = random.int(1, 4); i > 0; i--)
      copy[random.int(0, copy.length - 1)] = random.pick([0, 1, 4, 0x7f, 0x80, 0xff, random.int(0, 255)]);
    return copy;
  });
}

/** Whatever else `decode` throws for any of the inputs, with the input; empty when it behaves. */
export function misbehaviour(decode: (bytes: Uint8Array) => unknown, inputs: readonly Uint8Array[]): string[] {
  return inputs.flatMap((input) => {
    try {
      decode(input);
      return [];
    } catch (error) {
      return error instanceof RangeError ? [] : [`${String(error)} for ${Buffer.from(input).toString("hex")}`];
    }
  });
}

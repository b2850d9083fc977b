// Reading and writing fixed layouts. A reader never looks past its end: it throws a RangeError that says
// what was missing, and the codecs let that be the answer to a truncated message.

/** Joins chunks into one array. */
export function concatBytes(...chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** Whether both hold the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Lower-case hex digits, two a byte. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Reads hex digits; spaces and line ends between them are ignored. Throws a RangeError on anything else. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/gu, "");
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/u.test(digits)) throw new RangeError("not an even run of hex digits");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** Throws the RangeError that tells of a message too short for what it must hold. */
export function needBytes(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length < length) throw new RangeError(`${what}: ${length} bytes are needed, ${bytes.length} are there`);
}

/** A view for reading and writing numbers in `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** One big-endian unsigned 16-bit number as bytes. */
export function be16(value: number): Uint8Array {
  const out = new Uint8Array(2);
  viewOf(out).setUint16(0, value);
  return out;
}

/** One big-endian unsigned 32-bit number as bytes. */
export function be32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  viewOf(out).setUint32(0, value);
  return out;
}

/** One big-endian unsigned 64-bit number as bytes. */
export function be64(value: number | bigint): Uint8Array {
  const out = new Uint8Array(8);
  viewOf(out).setBigUint64(0, BigInt(value));
  return out;
}

/** Text as UTF-8 with a terminating zero, as the kernel wants names. */
export function cString(text: string): Uint8Array {
  return concatBytes(new TextEncoder().encode(text), new Uint8Array(1));
}

/** Text up to the first zero, or to the end. */
export function readCString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

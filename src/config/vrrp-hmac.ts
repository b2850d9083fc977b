// `vrrp.hmac`: the keys by which the routers of one virtual router sign their adverts (keepalived's auth_hmac).

import { z } from "zod";
import { MAX_KEY_BYTES, MIN_KEY_BYTES, type VrrpKey } from "../base/vrrp.ts";
import { absolutePath, duration, text, type Wrong, wholeNumber } from "./leaf.ts";
import type { VrrpKeyFile } from "./types.ts";

/** Most keys that a router accepts at a time: the old one and the new one, and some that hosts far away have still. */
export const MAX_KEYS = 8;

/** Clocks that NTP keeps differ by far less. */
const WINDOW_MS = { min: 1_000, max: 60_000 };

const RULE = `${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes`;

const key = z.strictObject({
  id: wholeNumber("Number of the key, which the adverts name, the same on all routers", 0, 255),
  secret: text(
    { description: `The key itself: ${RULE}`, minLength: MIN_KEY_BYTES / 4, maxLength: MAX_KEY_BYTES },
    `the key, a text of ${RULE}`,
    (value) => keyTrouble(new TextEncoder().encode(value)),
  ).optional(),
  secretFile: absolutePath(`Holds the key: ${RULE}, and nothing else but a line end`, "/etc/vipd/vrrp.key").optional(),
});

/** The group. */
export const hmac = z.strictObject({
  keys: z.array(key).meta({ description: "The keys that are accepted", minItems: 1, maxItems: MAX_KEYS }),
  send: wholeNumber("Number of the key that this router signs with; default: that of the first one", 0, 255).optional(),
  window: duration("How much the clocks of sender and receiver may differ, in whole seconds", {
    minMs: WINDOW_MS.min,
    maxMs: WINDOW_MS.max,
  }).prefault("5s"),
});

/** The group with its defaults filled in. */
export type FileHmac = z.infer<typeof hmac>;

/** What keeps bytes from being a key; `undefined`: nothing. */
export function keyTrouble(secret: Uint8Array): Wrong | undefined {
  if (secret.length >= MIN_KEY_BYTES && secret.length <= MAX_KEY_BYTES) return undefined;
  const fix = `use ${RULE}, such as those of: openssl rand -hex 32`;
  return { problem: `has ${secret.length} bytes`, fix };
}

const [LINE_FEED, CARRIAGE_RETURN] = [0x0a, 0x0d];

/** The content of a file with a secret: editors end it with a newline, which is no part of it. */
export function withoutLineEnd(bytes: Uint8Array): Uint8Array {
  if (bytes.at(-1) !== LINE_FEED) return bytes;
  return bytes.subarray(0, bytes.at(-2) === CARRIAGE_RETURN ? -2 : -1);
}

/** What a group makes of a virtual router: the keys that stand in it, and the files of the others. */
export function buildHmac({ keys, send, window }: FileHmac): {
  readonly authentication: { kind: "hmac"; keys: readonly VrrpKey[]; sendKeyId: number; windowS: number };
  readonly keyFiles: readonly VrrpKeyFile[];
} {
  const written = keys.flatMap(({ id, secret }): readonly VrrpKey[] =>
    secret === undefined ? [] : [{ id, secret: new TextEncoder().encode(secret) }],
  );
  const keyFiles = keys.flatMap(({ id, secretFile }, index): readonly VrrpKeyFile[] =>
    secretFile === undefined ? [] : [{ id, path: secretFile, index }],
  );
  const sendKeyId = send ?? keys[0]?.id ?? 0;
  return { authentication: { kind: "hmac", keys: written, sendKeyId, windowS: window / 1_000 }, keyFiles };
}

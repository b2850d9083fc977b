// `vips.<name>.vrrp`: the virtual router of a VIP that is elected by VRRP.

import { z } from "zod";
import { NO_AUTHENTICATION } from "../base/vrrp.ts";
import { buildHmac, hmac } from "./vrrp-hmac.ts";
import { hostAddress } from "./host-address.ts";
import { duration, text, wholeNumber } from "./leaf.ts";
import type { VrrpConfig } from "./types.ts";

/** Shortest interval: three of them are the lease of a master, which the kernel's fence must be able to keep. In milliseconds. */
const MIN_INTERVAL_MS = 100;

/** Version 2's longest; version 3's is 40.95 s. */
const MAX_INTERVAL_MS = 255_000;

/** What version 2 carries of a password, in bytes. */
export const MAX_PASSWORD_BYTES = 8;

/** The skew of version 2 is no longer. */
const MAX_FAREWELL_WAIT_MS = 1_000;

const OWNER = 255;

const priority = wholeNumber("Priority in the adverts; default: the VIP's own", 1, OWNER - 1, (input) =>
  input === OWNER
    ? {
        problem: "255 is for the router that has the addresses as its own for ever, and vipd's come and go",
        fix: "use 254, and 254 at most on the others",
      }
    : undefined,
);

const authentication = text(
  {
    description: "Password of version 2, 8 bytes at most, the same on all routers; it goes over the wire in plain text",
    minLength: 1,
    maxLength: MAX_PASSWORD_BYTES,
  },
  "the password that keepalived has as auth_pass",
  (value) => {
    if (value === "") return { problem: "is empty", fix: "leave it out, or give a password" };
    const bytes = new TextEncoder().encode(value).length;
    if (bytes <= MAX_PASSWORD_BYTES) return undefined;
    const problem = `is ${bytes} bytes long, and VRRP carries ${MAX_PASSWORD_BYTES}: keepalived cuts it there, too`;
    return { problem, fix: `write its first ${MAX_PASSWORD_BYTES} bytes` };
  },
);

/** The group. */
export const vrrp = z.strictObject({
  id: wholeNumber("Virtual router id, the same on all routers of this VIP, and of no other on the interface", 1, 255),
  version: wholeNumber("Version of VRRP: 2, or 3, which IPv6 needs", 2, 3).prefault(2),
  interval: duration("Interval of the adverts, the same on all routers; whole seconds in version 2", {
    minMs: MIN_INTERVAL_MS,
    maxMs: MAX_INTERVAL_MS,
  }).prefault("1s"),
  priority: priority.optional(),
  authentication: authentication.optional(),
  hmac: hmac.optional(),
  unicastPeers: z
    .array(hostAddress("Address of another router"))
    .meta({ description: "The other routers' addresses, where adverts cannot go to the multicast group", minItems: 1 })
    .optional(),
  farewellWait: duration("Longest wait behind a master's farewell, where all routers are vipd; default: the skew", {
    minMs: 10,
    maxMs: MAX_FAREWELL_WAIT_MS,
  }).optional(),
  source: hostAddress("Address of this host to send from; default: the first one of the interface").optional(),
});

/** The group with its defaults filled in. */
export type FileVrrp = z.infer<typeof vrrp>;

function authenticationOf({
  authentication: password,
  hmac: signed,
}: FileVrrp): Pick<VrrpConfig, "authentication" | "keyFiles"> {
  if (signed !== undefined) return buildHmac(signed);
  return { authentication: password === undefined ? NO_AUTHENTICATION : { kind: "password", password }, keyFiles: [] };
}

/** The virtual router of a VIP on `interface`. */
export function buildVrrp(kind: VrrpConfig["kind"], file: FileVrrp, link: string): VrrpConfig {
  return {
    kind,
    interface: link,
    vrid: file.id,
    version: file.version === 3 ? 3 : 2,
    intervalMs: file.interval,
    priority: file.priority ?? null,
    ...authenticationOf(file),
    unicastPeers: file.unicastPeers ?? [],
    source: file.source ?? null,
    farewellWaitMs: file.farewellWait ?? null,
  };
}

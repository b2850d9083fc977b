// What is kept of this host's real servers, so that a process that is killed at any step leaves nothing that cannot be
// finished or taken back. It is written before the kernel is changed, and again behind it.
//
// What was there before belongs to a boot and to a network namespace: after another boot nothing of it is left in the kernel,
// and it counts no longer. What is down by hand is down over boots, too.

import * as z from "zod";
import { MAX_ADDRESSES_PER_VIP, MAX_REAL_SERVER_INTERFACES, MAX_REAL_SERVERS } from "../base/bounds.ts";
import { parseJson } from "../base/json.ts";
import { parseIp } from "../wire/ip.ts";

/** Most network namespaces of a boot that are remembered; containers make a new one at each start. */
const MAX_NAMESPACES = 64;

/** Most addresses that are to go: twice as many as there can be at once, since what stays on lo outlasts a change. */
const MAX_LEAVING = 4 * MAX_REAL_SERVERS * MAX_ADDRESSES_PER_VIP;

/** Most addresses of which it is kept why lo refused them, and the longest reason, in UTF-16 code units. */
const MAX_REFUSED = 256;
const MAX_REASON = 300;

/** Most settings that are kept: two for each interface. */
const MAX_SETTINGS = 4 * MAX_REAL_SERVERS * MAX_REAL_SERVER_INTERFACES;

/** Largest file, in bytes, and how much of it namespaces take: one with all that it may have is well below that. */
export const MAX_RECORD_BYTES = 4 * 1024 * 1024;
const MAX_NAMESPACES_BYTES = 3 * 1024 * 1024;

const address = z
  .object({ family: z.union([z.literal(4), z.literal(6)]), ip: z.string().max(64) })
  .refine(({ family, ip }) => {
    const parsed = parseIp(ip);
    return parsed?.family === family && parsed.ip === ip;
  });

const interfaceName = z.string().min(1).max(15);

const server = z.object({
  name: z.string().min(1).max(64),
  by: z.enum(["file", "hand"]),
  addresses: z.array(address).max(MAX_ADDRESSES_PER_VIP),
  interfaces: z.array(interfaceName).max(MAX_REAL_SERVER_INTERFACES),
});

const setting = z.object({
  interface: interfaceName,
  /** An interface that was made anew has another, and its kernel's own settings. */
  index: z.int().positive(),
  setting: z.enum(["arpIgnore", "arpAnnounce"]),
  /** Less than what was set; the kernel takes negative ones, too. */
  before: z
    .int()
    .min(-(2 ** 31))
    .max(1),
  /** One of LEAST. */
  set: z.int().min(1).max(2),
});

const namespace = z.object({
  /** Those of the configuration, and as many by hand. */
  servers: z.array(server).max(2 * MAX_REAL_SERVERS),
  /** Addresses that are to go, and may be on lo still. */
  leaving: z.array(address).max(MAX_LEAVING),
  settings: z.array(setting).max(MAX_SETTINGS),
  /** Why lo refused addresses at the last change: for whoever looks afterwards. */
  refused: z
    .array(z.object({ ip: z.string().max(64), message: z.string().max(MAX_REASON) }))
    .max(MAX_REFUSED)
    .default([]),
});

const schema = z.object({
  version: z.literal(1),
  bootId: z.string().max(128),
  /** By network namespace, the one that was written last at the end. */
  places: z.array(z.object({ network: z.string().max(128), place: namespace })).max(MAX_NAMESPACES),
  down: z.array(z.string().max(64)).max(MAX_REAL_SERVERS),
});

/** A real server as it is kept. */
export type KeptServer = z.infer<typeof server>;

/** A setting of an interface that was changed: what it was, and what it was set to. */
export type KeptSetting = z.infer<typeof setting>;

/** What is kept for one network namespace. */
export type KeptNamespace = z.infer<typeof namespace>;

/** All that is kept in a state directory. */
export type Kept = z.infer<typeof schema>;

/** The boot and the network namespace of a process, each by a name that no later one has. */
export interface Here {
  readonly bootId: string;
  readonly networkNamespace: string;
}

/** Nothing is kept. */
export const NOTHING: KeptNamespace = { servers: [], leaving: [], settings: [], refused: [] };

/** Reads what is kept; `undefined`: it cannot be understood. */
export function readKept(text: string): Kept | undefined {
  const read = schema.safeParse(parseJson(text));
  return read.success ? read.data : undefined;
}

/** What is kept for this boot and network namespace. */
export function keptIn(kept: Kept | undefined, here: Here): KeptNamespace {
  if (kept?.bootId !== here.bootId) return NOTHING;
  return kept.places.find(({ network }) => network === here.networkNamespace)?.place ?? NOTHING;
}

/** All that is kept, with this of one namespace, and these names that are down. */
export function withKept(all: Kept | undefined, here: Here, kept: KeptNamespace, down: readonly string[]): Kept {
  const others =
    all?.bootId === here.bootId ? all.places.filter(({ network }) => network !== here.networkNamespace) : [];
  const bounded = {
    ...kept,
    leaving: kept.leaving.slice(-MAX_LEAVING),
    settings: kept.settings.slice(-MAX_SETTINGS),
    refused: kept.refused
      .slice(0, MAX_REFUSED)
      .map(({ ip, message }) => ({ ip, message: message.slice(0, MAX_REASON) })),
  };
  const own = isEmpty(kept) ? [] : [{ network: here.networkNamespace, place: bounded }];
  const places = [...others, ...own].slice(-MAX_NAMESPACES);
  while (places.length > 1 && JSON.stringify(places).length > MAX_NAMESPACES_BYTES) places.shift();
  return { version: 1, bootId: here.bootId, places, down: down.slice(-MAX_REAL_SERVERS) };
}

/** Whether nothing is worth a file. */
export function isNothing(kept: Kept): boolean {
  return kept.places.length === 0 && kept.down.length === 0;
}

function isEmpty({ servers, leaving, settings }: KeptNamespace): boolean {
  return servers.length === 0 && leaving.length === 0 && settings.length === 0;
}

// The configuration file, key by key: what may stand there, its default and its description. The JSON
// Schema for editors comes from the same tables.

import { DEFAULT_SOCKET, DEFAULT_STATE_DIR } from "../base/paths.ts";
import * as z from "zod";
import { MAX_TTL_MS, MIN_TTL_MS } from "../base/bounds.ts";
import { address, interfaceName } from "./address.ts";
import { checkRef, checks } from "./checks-schema.ts";
import { hooks, mail, webhook } from "./hooks-schema.ts";
import { realServers } from "./real-servers-schema.ts";
import { absolutePath, duration, leaf, name, notThat, oneOf, text, wholeNumber, yesNo } from "./leaf.ts";
import { route, rule } from "./routing-schema.ts";
import { storeScheme, storeUrlFix } from "../base/store-url.ts";
import { virtualMac } from "./virtual-mac-schema.ts";
import { vrrp } from "./vrrp-schema.ts";

const HOUR_MS = 3_600_000;

/** sockaddr_un's path, less the NUL. */
const MAX_SOCKET_PATH_BYTES = 107;

/** What a store's URL is, for messages. */
export const STORE_URL = "the URL of a store, such as sqlite:/var/lib/vipd/fleet.db";

const store = text(
  {
    description:
      "URL of the store that the fleet shares, such as sqlite:/var/lib/vipd/fleet.db; required unless all VIPs are elected by VRRP",
  },
  STORE_URL,
  (value) => {
    if (/\p{Cc}/u.test(value))
      return { problem: "holds a line end or a control character", fix: "write the URL behind store: on one line" };
    if (/\$\{?\w/u.test(value) && storeScheme(value) === undefined)
      return { problem: "names a variable, and vipd fills in none", fix: "write the URL itself" };
    return storeScheme(value) === undefined
      ? { problem: "is not a store URL", fix: storeUrlFix(value) ?? "use one such as sqlite:/var/lib/vipd/fleet.db" }
      : undefined;
  },
);

/** By name, or by number: YAML reads a bare one as a number. */
const group = leaf(
  { type: ["string", "integer"], description: "Group that may use the socket, by name or number" },
  (input) => {
    const given = typeof input === "number" ? String(input) : input;
    if (typeof given !== "string") return notThat(input, "the name or number of a group");
    if (/^(?:\d{1,10}|[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?)$/u.test(given)) return { value: given };
    return { problem: "is not the name of a group", fix: "use one from /etc/group" };
  },
);

const admin = z.strictObject({
  socket: absolutePath("Where vipctl meets the daemon", DEFAULT_SOCKET, MAX_SOCKET_PATH_BYTES).prefault(DEFAULT_SOCKET),
  group: group.optional(),
});

const log = z.strictObject({
  level: oneOf("How much to log", ["trace", "debug", "info", "warn", "error"]).prefault("info"),
  format: oneOf("auto: pretty on a terminal, JSON elsewhere", ["auto", "json", "pretty"]).prefault("auto"),
});

const announce = z.strictObject({
  burst: wholeNumber("Gratuitous ARPs / unsolicited NAs at once after gaining the VIP", 1, 100).prefault(5),
  repeatAfter: duration("When the burst is repeated once", { minMs: 100, maxMs: HOUR_MS, zeroMeans: "never" }).prefault(
    "5s",
  ),
  refresh: duration("Interval of the announcements while holding", {
    minMs: 1_000,
    maxMs: 24 * HOUR_MS,
    zeroMeans: "never",
  }).prefault("60s"),
});

const vip = z.strictObject({
  interface: interfaceName.optional(),
  addresses: z
    .array(address)
    .meta({ description: "The addresses; they move together. None: an election for hooks alone", minItems: 1 })
    .optional(),
  routes: z.array(route).meta({ description: "Routes that come and go with the VIP", minItems: 1 }).optional(),
  rules: z.array(rule).meta({ description: "Rules that come and go with the VIP", minItems: 1 }).optional(),
  priority: wholeNumber("The greatest of the fleet acquires first", 1, 254).prefault(100),
  preempt: yesNo(
    "Whether a holder of lower priority shall hand over to this node (keepalived: false is nopreempt)",
  ).prefault(true),
  preemptDelay: duration("How long this node is the better one before that", { minMs: 0, maxMs: HOUR_MS }).prefault(
    "5s",
  ),
  minHold: duration("How long this node, once it holds, does not hand over to a better one", {
    minMs: 0,
    maxMs: HOUR_MS,
  }).prefault("0s"),
  spread: name("Group whose VIPs are shared out over the healthy nodes").optional(),
  announce: announce.prefault({}),
  probeInterval: duration("How often the wire is asked who else answers for the VIP", {
    minMs: 1_000,
    maxMs: 24 * HOUR_MS,
    zeroMeans: "only with the announcements",
  }).prefault("0s"),
  checks: z.array(checkRef).meta({ description: "The checks that bear on this VIP" }).optional(),
  lastResort: oneOf("keep: a node whose checks fail holds it while no other one is healthy", ["keep", "drop"]).prefault(
    "keep",
  ),
  hooks: hooks.meta({ description: "Commands that are told of the transitions of this VIP" }).optional(),
  election: oneOf("Who decides where the VIP is: a lease in the store, or VRRP, as keepalived does", [
    "lease",
    "vrrp",
  ]).prefault("lease"),
  vrrp: vrrp
    .meta({ description: "The virtual router; with election: lease, that of a fleet that keepalived is still part of" })
    .optional(),
  virtualMac: virtualMac.optional(),
});

/** The whole file. */
export const fileSchema = z
  .strictObject({
    node: name("This node's name in the fleet; default: the host name").optional(),
    fleet: name("Name of the fleet; several may share a store").prefault("main"),
    store: store.optional(),
    ttl: duration("Lease: a holder that is not heard for so long is replaced", {
      minMs: MIN_TTL_MS,
      maxMs: MAX_TTL_MS,
    }).prefault("3s"),
    stateDir: absolutePath("Where the daemon keeps its incarnation", DEFAULT_STATE_DIR).prefault(DEFAULT_STATE_DIR),
    admin: admin.prefault({}),
    log: log.prefault({}),
    fence: oneOf("Kernel fence; auto takes the best that the kernel has", ["auto", "netdev", "inet"]).prefault("auto"),
    startupDelay: duration("For so long after its start this node takes nothing", {
      minMs: 0,
      maxMs: HOUR_MS,
    }).prefault("0s"),
    checks: checks.optional(),
    hooks: hooks.meta({ description: "Commands that are told of the transitions of all VIPs" }).optional(),
    webhook: webhook.meta({ description: "A web server that is told of all transitions" }).optional(),
    mail: mail.meta({ description: "Receivers of mail about all transitions" }).optional(),
    realServers: realServers
      .meta({ description: "The VIPs of which this host is a real server (LVS, direct routing)" })
      .optional(),
    vips: z
      .record(name("Name of the VIP and its election"), vip)
      .meta({ description: "The VIPs that this node competes for; required unless there are realServers" })
      .optional(),
  })
  .meta({ title: "vipd.yaml", description: "Configuration of vipd, see vipd.yaml(5)" });

/** The file with its defaults filled in. */
export type FileData = z.infer<typeof fileSchema>;

/** One VIP of the file. */
export type FileVip = z.infer<typeof vip>;

/** The JSON Schema of vipd.yaml (draft 2020-12), for editors. */
export function jsonSchema(): Readonly<Record<string, unknown>> {
  const { "~standard": _standard, ...schema } = z.toJSONSchema(fileSchema, { io: "input" }) as Record<string, unknown>;
  return schema;
}

/** The keys that a group at `path` may have; `undefined` when there is no such group or its keys are free. */
export function knownKeys(path: readonly (string | number)[]): readonly string[] | undefined {
  let schema: unknown = fileSchema;
  for (const part of path) {
    schema = unwrapped(schema);
    if (schema instanceof z.ZodObject) schema = schema.shape[part];
    else if (schema instanceof z.ZodRecord) schema = schema.valueType;
    else return undefined;
  }
  schema = unwrapped(schema);
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : undefined;
}

function unwrapped(schema: unknown): unknown {
  return schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional ? schema.unwrap() : schema;
}

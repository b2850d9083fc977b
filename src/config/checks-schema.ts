// The checks of the configuration file: what may stand below `checks:`, and below `checks` of a VIP.

import { z } from "zod";
import { interfaceName } from "./address.ts";
import { command, commandUser } from "./command-leaf.ts";
import { entry } from "./entry.ts";
import type { StatusRange } from "./check-options.ts";
import { absolutePath, duration, leaf, name, notThat, oneOf, type Reading, text, wholeNumber, yesNo } from "./leaf.ts";
import { parseIp } from "../wire/ip.ts";

const MINUTE_MS = 60_000;

/** The most that one check may add to the priority, or take from it. */
const MAX_WEIGHT = 253;

const weight = wholeNumber(
  "Added to the priority while the check is ok, or, when negative, while it is failed; 0: a failure makes the node ineligible",
  -MAX_WEIGHT,
  MAX_WEIGHT,
);
const reverse = yesNo("Turns the effect round");

const url = text(
  { description: "http: or https: URL that is asked" },
  "a URL such as http://127.0.0.1/healthz",
  wrongUrl,
);

/** What is wrong with the URL of a web server, if anything. */
export function wrongUrl(value: string): { readonly problem: string; readonly fix: string } | undefined {
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed?.protocol === "http:" || parsed?.protocol === "https:") return undefined;
  const rest = value.replace(/^[a-z]*:?\/*/iu, "");
  const fix = /^[\w.[\]-]+/u.test(value) && !value.includes("://") ? `write http://${value}` : `write http://${rest}`;
  return { problem: "is no URL of a web server", fix };
}

/** A host and its port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const hostPort = leaf<HostPort>(
  { type: "string", description: "Host and port that must accept a connection, such as 127.0.0.1:80 or [::1]:80" },
  (input) => {
    if (typeof input === "number") return { problem: `${input} names no host`, fix: `write 127.0.0.1:${input}` };
    if (typeof input !== "string") return notThat(input, "a host and its port, such as 127.0.0.1:80");
    const match = /^(?:\[([^\]\s]+)\]|([^:\s]+)):(\d{1,5})$/u.exec(input.trim());
    const port = Number(match?.[3] ?? 0);
    if (match === null || port < 1 || port > 65_535)
      return { problem: "is no host with a port", fix: "use one such as 127.0.0.1:80 or [::1]:80" };
    return { value: { host: match[1] ?? match[2] ?? "", port } };
  },
);

const ip = text(
  { description: "Address of a neighbour that must answer ARP or neighbour discovery" },
  "an address",
  (value) =>
    parseIp(value) === undefined ? { problem: "is no address", fix: "use one such as 10.0.0.1 or fe80::1" } : undefined,
);

const statuses = leaf<readonly StatusRange[]>(
  {
    anyOf: [{ type: ["integer", "string"] }, { type: "array", items: { type: ["integer", "string"] } }],
    description: "Statuses that are ok, such as 200, 200-399 or a list of these",
  },
  (input) => {
    const words: readonly unknown[] = Array.isArray(input) ? input : [input];
    if (words.length === 0)
      return { problem: "is an empty list", fix: "name a status, such as 200-399, or leave it out" };
    const ranges = words.map(rangeOf);
    const wrong = ranges.find((range) => "problem" in range);
    if (wrong !== undefined && "problem" in wrong) return wrong;
    return { value: ranges.flatMap((range) => ("value" in range ? [range.value] : [])) };
  },
);

function rangeOf(input: unknown): Reading<StatusRange> {
  const match = /^(\d{3})(?:-(\d{3}))?$/u.exec(String(input));
  const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || from < 100 || to > 599 || to < from)
    return { problem: "is no status", fix: "use 100 to 599, such as 200 or 200-399" };
  return { value: { from, to } };
}

const expression = text(
  { description: "Regular expression (JavaScript) that the answer's body must match" },
  "a regular expression",
  (value) => {
    try {
      RegExp(value, "su");
      return undefined;
    } catch {
      return { problem: "is no regular expression", fix: "use one of JavaScript, and quote it" };
    }
  },
);

const plain = (description: string): z.ZodType<string, unknown> => text({ description }, "a text, in quotes");

const headers = z.record(z.string(), plain("Value of the header"));

const recover = z.strictObject({
  run: command("Command that repairs the service; tried before the check counts as failed"),
  tries: wholeNumber("How often at most, until the check has been ok again", 1, 100).prefault(1),
  wait: duration("From the end of the command to the look whether it helped", {
    minMs: 0,
    maxMs: 10 * MINUTE_MS,
  }).prefault("3s"),
  timeout: duration("The command is stopped after this time", { minMs: 100, maxMs: 60 * MINUTE_MS }).prefault("30s"),
  user: commandUser.optional(),
  grace: duration("From SIGTERM to SIGKILL", { minMs: 0, maxMs: MINUTE_MS }).prefault("1s"),
  service: plain(
    "What it restarts: two recoveries of one service never run at once; default: the unit or the command",
  ).optional(),
});

/** One check of the file. */
export const check = z.strictObject({
  script: command("Program that is run: exit status 0 is ok").optional(),
  http: url.optional(),
  tcp: hostPort.optional(),
  process: plain("Name of a process that must run, or absolute path of its pidfile").optional(),
  file: absolutePath("File that must be there, or not, or that holds a number", "/etc/vipd/maintenance").optional(),
  gateway: ip.optional(),
  interface: interfaceName.meta({ description: "Network interface that must be up" }).optional(),
  interval: duration("From one look to the next", { minMs: 100, maxMs: 60 * MINUTE_MS }).prefault("2s"),
  timeout: duration("A look that has not ended by then has failed; default: the interval, at least 1s", {
    minMs: 50,
    maxMs: 10 * MINUTE_MS,
  }).optional(),
  rise: wholeNumber("Successes in a row that end a failure", 1, 1_000).prefault(1),
  fall: wholeNumber("Failures in a row that make one", 1, 1_000).prefault(2),
  initial: oneOf("What counts before the first look", ["pending", "ok", "failed"]).prefault("pending"),
  weight: weight.optional(),
  reverse: reverse.optional(),
  recover: recover.optional(),
  user: commandUser.optional(),
  grace: duration("script: from SIGTERM to SIGKILL", { minMs: 0, maxMs: MINUTE_MS }).optional(),
  method: plain("http: the method; default: GET").optional(),
  headers: headers.meta({ description: "http: headers that are added; Host replaces the URL's" }).optional(),
  connectTo: plain("http: the address to connect to instead of the URL's host").optional(),
  serverName: plain("http: the name in the TLS handshake (SNI)").optional(),
  verify: yesNo("http: whether the certificate must be valid; default: true").optional(),
  caFile: absolutePath("http: CAs (PEM) to trust instead of the system's", "/etc/ssl/ca.pem").optional(),
  status: statuses.optional(),
  contains: plain("http: text that must stand in the body").optional(),
  matches: expression.optional(),
  send: plain("tcp: what is sent once connected").optional(),
  expect: plain("tcp: what must come back").optional(),
  pidfile: absolutePath("process: its pidfile", "/run/nginx.pid").optional(),
  least: wholeNumber("process: how many there must be; default: 1", 1, 100_000).optional(),
  wants: oneOf("file: what is ok; number: it adds to the priority", ["present", "absent", "number"]).optional(),
  via: interfaceName.meta({ description: "gateway: the interface that it is asked on" }).optional(),
  debounce: duration("interface: a change counts when it has lasted so long", {
    minMs: 0,
    maxMs: MINUTE_MS,
  }).optional(),
});

/** One check of the file, with its defaults. */
export type FileCheck = z.infer<typeof check>;

/** The group `checks:`. */
export const checks = z
  .record(name("Name of the check"), check)
  .meta({ description: "What this node looks at: services, files, neighbours, interfaces" });

/** A check as a VIP names it. */
export interface FileCheckRef {
  readonly check: string;
  readonly weight?: number;
  readonly reverse?: boolean;
}

/** One entry of `checks` of a VIP: a name, or a group with a weight of its own. */
export const checkRef = entry({
  description: "A check that bears on this VIP",
  short: "check",
  shape: {
    check: text({ description: "Name of the check" }, "the name of a check"),
    weight: weight.optional(),
    reverse: reverse.optional(),
  },
  build: ({ check: named, weight: own, reverse: turned }): FileCheckRef => ({
    check: named,
    ...(own === undefined ? {} : { weight: own }),
    ...(turned === undefined ? {} : { reverse: turned }),
  }),
});

// The admin protocol: HTTP/1.1 over a unix socket, JSON bodies. Whatever comes over the socket, in either
// direction, is hostile until it has passed these schemas.
//
//   GET  /v1/version             VersionView
//   GET  /v1/status              StatusView
//   GET  /v1/elections/<name>    ElectionView with its history; 404 when there is none
//   GET  /v1/watch               StatusView now and after each change, one JSON text a line, until hung up
//   POST /v1/step-down           StepDownRequest -> StepDownView
//   POST /v1/maintenance         MaintenanceRequest -> MaintenanceView
//
// Failures: 4xx or 5xx with a FailureView.

import * as z from "zod";
import { MAX_VIEW_TEXT } from "../base/bounds.ts";
import { isName, NAME_RULE } from "../base/names.ts";
import { checkViewSchema } from "./check-view.ts";
import { realServerViewSchema } from "./real-server-view.ts";
import type {
  ElectionView,
  FailureView,
  MaintenanceRequest,
  MaintenanceView,
  StatusView,
  StepDownRequest,
  StepDownView,
  VersionView,
} from "./views.ts";

/** The routes, as both sides write them. */
export const ROUTES = {
  version: "/v1/version",
  status: "/v1/status",
  /** Followed by the election's name. */
  elections: "/v1/elections/",
  watch: "/v1/watch",
  stepDown: "/v1/step-down",
  maintenance: "/v1/maintenance",
} as const;

/** What a client takes, of a daemon of another version too. */
const words = z.string().max(8 * MAX_VIEW_TEXT);
const token = z.string().regex(/^\d{1,40}$/u);
const ms = z.number();

const storeView = z.object({
  url: words,
  ok: z.boolean(),
  lastError: words.nullable(),
  guarantees: z.object({
    name: words,
    minTtlMs: ms,
    tokenDurable: z.boolean(),
    failoverSafe: z.boolean(),
    caveats: z.array(words),
  }),
});

const candidateView = z.object({
  node: words,
  priority: z.number(),
  eligible: z.boolean(),
  alive: z.boolean(),
  reason: words.nullable(),
});

const lossView = z
  .object({
    atWallMs: ms,
    reasonCode: words,
    reason: words,
    heldAgainAfterMs: ms.nullable(),
    interruptions: ms,
    interruptedMs: ms,
  })
  .nullable();

const historyView = z.object({
  atWallMs: ms,
  from: words.nullable(),
  to: words.nullable(),
  token,
  reasonCode: words,
  reason: words,
  lastedMs: ms.nullable(),
  vacantMs: ms.nullable(),
  loss: lossView,
  interruption: lossView,
});

const ineligibleReasonView = z.object({
  source: words,
  reasonCode: words,
  reason: words,
  sinceMs: ms,
  forMs: ms.nullable(),
});

const electionView = z.object({
  name: words,
  addresses: z.array(words),
  interface: words.nullable(),
  role: z.enum(["holder", "candidate", "idle"]).nullable(),
  holder: words.nullable(),
  holderAlive: z.boolean().nullable(),
  token: token.nullable(),
  sinceWallMs: ms.nullable(),
  lastHeartbeatAgeMs: ms.nullable(),
  ttlMs: ms.nullable(),
  validForMs: ms.nullable(),
  priority: z.number().nullable(),
  eligible: z.boolean().nullable(),
  reasonCode: words,
  reason: words,
  elector: words.nullable(),
  ineligibleReasons: z.array(ineligibleReasonView),
  devices: z.array(z.object({ name: words, mac: words, parent: words })),
  routing: z.array(z.object({ text: words, inPlace: z.boolean() })),
  conflict: words.nullable(),
  candidates: z.array(candidateView),
  history: z.array(historyView),
});

const nodeView = z.object({
  node: words,
  alive: z.boolean(),
  lastHeartbeatAgeMs: ms.nullable(),
  ttlMs: ms.nullable(),
  host: words,
  sessionVersion: token.nullable(),
});

/** GET /v1/status, and each line of GET /v1/watch. */
export const statusSchema: z.ZodType<StatusView> = z.object({
  version: words,
  node: words,
  fleet: words,
  incarnation: words,
  session: z.object({ state: z.enum(["absent", "live", "lapsed"]), validForMs: ms }),
  store: storeView,
  fence: z.object({ kind: z.enum(["netdev", "inet"]), flushProof: z.boolean(), caveats: z.array(words) }),
  ttlMs: ms,
  elections: z.array(electionView),
  nodes: z.array(nodeView),
  warnings: z.array(words),
  checks: z.array(checkViewSchema),
  realServers: z.array(realServerViewSchema),
  wakeups: z.array(z.object({ name: words, inMs: ms })),
});

/** GET /v1/elections/<name>. */
export const electionSchema: z.ZodType<ElectionView> = electionView;

/** GET /v1/version. */
export const versionSchema: z.ZodType<VersionView> = z.object({ version: words, node: words, pid: z.number() });

/** The answer of POST /v1/step-down. */
export const stepDownViewSchema: z.ZodType<StepDownView> = z.object({ accepted: z.boolean(), reason: words });

/** The body of POST /v1/step-down; `to` may be left out. */
export const stepDownRequestSchema: z.ZodType<StepDownRequest, unknown> = z.strictObject({
  election: z.string().refine(isName, `a name: ${NAME_RULE}`),
  to: z.string().refine(isName, `a name: ${NAME_RULE}`).nullable().default(null),
});

/** Longest reason of a maintenance, in UTF-16 code units. */
export const MAX_MAINTENANCE_REASON = 200;

/** The body of POST /v1/maintenance; only `on` must be there. */
export const maintenanceRequestSchema: z.ZodType<MaintenanceRequest, unknown> = z.strictObject({
  on: z.boolean(),
  vip: z.string().refine(isName, `a name: ${NAME_RULE}`).nullable().default(null),
  reason: z.string().max(MAX_MAINTENANCE_REASON).default(""),
});

/** The answer of POST /v1/maintenance. */
export const maintenanceViewSchema: z.ZodType<MaintenanceView> = z.object({ accepted: z.boolean(), reason: words });

/** The body of a 4xx or 5xx. */
export const failureSchema: z.ZodType<FailureView> = z.object({ error: z.object({ code: words, message: words }) });

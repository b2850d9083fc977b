// The client of the admin socket. Tells "there is no daemon" (the caller may ask the store instead) from a
// daemon that fails, refuses, or does not answer in time.

import type { IncomingMessage } from "node:http";
import { MAX_ADMIN_ANSWER_BYTES } from "../base/bounds.ts";
import { isVipdError, messageOf, VipdError } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { request as httpRequest } from "./http.ts";
import {
  electionSchema,
  failureSchema,
  maintenanceViewSchema,
  ROUTES,
  statusSchema,
  stepDownViewSchema,
  versionSchema,
} from "./protocol.ts";
import type {
  ElectionView,
  MaintenanceRequest,
  MaintenanceView,
  StatusView,
  StepDownRequest,
  StepDownView,
  VersionView,
} from "./views.ts";

/** The limits of one request. */
export interface AdminLimits {
  /** It settles within this time, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A daemon, through its admin socket. Failures are VipdErrors "admin" (see `adminFailure`) and "aborted". */
export interface AdminClient {
  version(limits: AdminLimits): Promise<VersionView>;
  status(limits: AdminLimits): Promise<StatusView>;
  /** `null` when the daemon knows no such election. */
  election(name: string, limits: AdminLimits): Promise<ElectionView | null>;
  stepDown(request: StepDownRequest, limits: AdminLimits): Promise<StepDownView>;
  maintenance(request: MaintenanceRequest, limits: AdminLimits): Promise<MaintenanceView>;
  /**
   * The status now and after each change, until the daemon or the signal ends it. `timeoutMs` is for the
   * first one.
   */
  watch(limits: AdminLimits): AsyncIterable<StatusView>;
}

/**
 * Why a request failed: `absent`: nobody listens there; `denied`: the socket's rights; `silent`: no answer in time;
 * `refused`: the daemon said no; `broken`: anything else.
 */
export type AdminFailure = "absent" | "denied" | "silent" | "refused" | "broken";

/** The kind of failure that an error of this client stands for; `undefined` for any other error. */
export function adminFailure(error: unknown): AdminFailure | undefined {
  if (!isVipdError(error, "admin")) return undefined;
  const { failure } = error.context;
  const known: readonly string[] = ["absent", "denied", "silent", "refused", "broken"];
  return typeof failure === "string" && known.includes(failure) ? (failure as AdminFailure) : undefined;
}

/** A client of the daemon at this socket; connects for each request. */
export function adminClient(socketPath: string): AdminClient {
  const get = <T>(path: string, schema: Schema<T>, limits: AdminLimits): Promise<T> =>
    ask({ socketPath, method: "GET", path }, schema, limits);
  const post = <T>(path: string, body: unknown, schema: Schema<T>, limits: AdminLimits): Promise<T> =>
    ask({ socketPath, method: "POST", path, body: JSON.stringify(body) }, schema, limits);
  return {
    version: (limits) => get(ROUTES.version, versionSchema, limits),
    status: (limits) => get(ROUTES.status, statusSchema, limits),
    election: async (name, limits) => {
      try {
        return await get(`${ROUTES.elections}${encodeURIComponent(name)}`, electionSchema, limits);
      } catch (error) {
        if (isVipdError(error, "admin") && error.context["status"] === 404) return null;
        throw error;
      }
    },
    stepDown: (body, limits) => post(ROUTES.stepDown, body, stepDownViewSchema, limits),
    maintenance: (body, limits) => post(ROUTES.maintenance, body, maintenanceViewSchema, limits),
    watch: (limits) => watch(socketPath, limits),
  };
}

interface Question {
  readonly socketPath: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
}

/** The part of a zod schema that is used here. */
interface Schema<T> {
  safeParse(value: unknown): { readonly success: true; readonly data: T } | { readonly success: false };
}

async function ask<T>(question: Question, schema: Schema<T>, limits: AdminLimits): Promise<T> {
  const deadline = AbortSignal.timeout(limits.timeoutMs);
  const signal = limits.signal === undefined ? deadline : AbortSignal.any([deadline, limits.signal]);
  try {
    const response = await open(question, signal);
    const text = await readAll(response);
    if (response.statusCode !== 200) throw refusal(question, response.statusCode ?? 0, text);
    return parse(text, schema, question.socketPath);
  } catch (error) {
    throw translate(error, question.socketPath, limits, deadline);
  }
}

/** Sends the request; resolves with the head of the answer. */
function open(question: Question, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { socketPath, method, path, body } = question;
    const headers =
      body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const sent = httpRequest({ socketPath, method, path, headers, signal, agent: false }, resolve);
    sent.once("error", reject);
    sent.end(body);
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_ADMIN_ANSWER_BYTES) throw new RangeError("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function* watch(socketPath: string, limits: AdminLimits): AsyncGenerator<StatusView> {
  const hangUp = new AbortController();
  const late = AbortSignal.timeout(limits.timeoutMs);
  const onLate = (): void => hangUp.abort(late.reason);
  late.addEventListener("abort", onLate, { once: true });
  const signal = limits.signal === undefined ? hangUp.signal : AbortSignal.any([hangUp.signal, limits.signal]);
  try {
    const question: Question = { socketPath, method: "GET", path: ROUTES.watch };
    const response = await open(question, signal);
    if (response.statusCode !== 200) throw refusal(question, response.statusCode ?? 0, await readAll(response));
    for await (const line of lines(response)) {
      late.removeEventListener("abort", onLate);
      yield parse(line, statusSchema, socketPath);
    }
  } catch (error) {
    if (limits.signal?.aborted === true) return;
    throw translate(error, socketPath, limits, late);
  } finally {
    late.removeEventListener("abort", onLate);
    hangUp.abort();
  }
}

async function* lines(response: IncomingMessage): AsyncGenerator<string> {
  response.setEncoding("utf8");
  let rest = "";
  for await (const chunk of response as AsyncIterable<string>) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > MAX_ADMIN_ANSWER_BYTES) throw new RangeError("the answer is too large");
    yield* parts;
  }
}

function parse<T>(text: string, schema: Schema<T>, socket: string): T {
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new VipdError("admin", `what answers at ${socket} does not speak vipd's admin protocol of this version`, {
    socket,
    failure: "broken",
  });
}

function refusal(question: Question, status: number, text: string): VipdError {
  const parsed = failureSchema.safeParse(parseJson(text));
  const message = parsed.success ? parsed.data.error.message : `the daemon answered with HTTP status ${status}`;
  const code = parsed.success ? parsed.data.error.code : "internal";
  return new VipdError("admin", message, { socket: question.socketPath, failure: "refused", status, code });
}

function translate(error: unknown, socket: string, limits: AdminLimits, deadline: AbortSignal): VipdError {
  if (isVipdError(error)) return error;
  if (limits.signal?.aborted === true) return new VipdError("aborted", "interrupted", { socket }, error);
  const tell = (failure: AdminFailure, message: string): VipdError =>
    new VipdError("admin", message, { socket, failure }, error);
  if (deadline.aborted) return tell("silent", `the daemon at ${socket} does not answer within ${limits.timeoutMs} ms`);
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  if (code === "ECONNRESET" || code === "EPIPE")
    return tell("broken", `the daemon at ${socket} hung up: it stops, or too many others are connected`);
  if (code === "ENOENT" || code === "ECONNREFUSED") return tell("absent", `no daemon listens at ${socket}`);
  if (code === "EACCES" || code === "EPERM")
    return tell("denied", `no permission to use ${socket}: become root, or a member of its group (admin.group)`);
  return tell("broken", `talking to the daemon at ${socket} failed: ${messageOf(error)}`);
}

// The admin server of a daemon: a few HTTP routes on a unix socket, small limits, no state of its own.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { MAX_ADMIN_ANSWER_BYTES, MAX_ADMIN_REQUEST_BYTES, MAX_VIEW_TEXT } from "../base/bounds.ts";
import type { ZodType } from "zod";
import { isVipdError, messageOf } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { isName } from "../base/names.ts";
import { clip } from "../base/text.ts";
import { createServer } from "./http.ts";
import { type Caller, Callers, type PeerOf } from "./callers.ts";
import { maintenanceRequestSchema, ROUTES, stepDownRequestSchema } from "./protocol.ts";
import { listenAt } from "./socket-file.ts";
import { StatusFeed } from "./status-feed.ts";
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

/** What the daemon does for its admin server. */
export interface AdminHandler {
  version(): VersionView;
  /** At once, from memory. Without histories. */
  status(): StatusView;
  /** One election with its history; `null` when there is none of that name. */
  election(name: string): Promise<ElectionView | null>;
  /** Starts the handover; does not wait for its end. `caller` is `null` where the kernel does not say who asks. */
  stepDown(request: StepDownRequest, caller: Caller | null): Promise<StepDownView>;
  maintenance(request: MaintenanceRequest, caller: Caller | null): Promise<MaintenanceView>;
  /** Calls back after each change of what `status` shows, until the result is called. */
  onChange(listener: () => void): () => void;
}

/** Where to listen. */
export interface AdminServerOptions {
  /** Absolute path. */
  readonly socket: string;
  /** Name or number of the group that may use it; `null`: the process's own. */
  readonly group?: string | null;
  /** Asks the kernel who is connected; absent where nobody can. */
  readonly peerOf?: PeerOf;
  /** Who has not taken a line of a watch by then is dropped, in milliseconds. */
  readonly stallMs?: number;
}

/** A server that listens. */
export interface AdminServer {
  /** Hangs up on everybody and removes the socket; also done when the signal aborts. */
  close(): Promise<void>;
}

/** A client must send its request, and hear its answer, within this time in milliseconds. */
const REQUEST_MS = 5_000;

/** After an answer, the connection ends by then at the latest, in milliseconds. */
const ANSWER_MS = 10_000;
const MAX_HEADER_BYTES = 8 * 1024;

/** Starts to listen. Throws VipdError "admin" when the socket is in use or cannot be made. */
export async function startAdminServer(
  options: AdminServerOptions,
  handler: AdminHandler,
  signal: AbortSignal,
): Promise<AdminServer> {
  signal.throwIfAborted();
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    requestTimeout: REQUEST_MS,
    headersTimeout: REQUEST_MS,
    connectionsCheckingInterval: 1_000,
    keepAlive: false,
  };
  const callers = new Callers(options.peerOf, process.getuid?.() ?? 0);
  const feed = new StatusFeed(handler, options.stallMs);
  const server = createServer(limits, (request, response) => {
    answer({ request, response, handler, callers, feed }).catch((error: unknown) =>
      fail(response, 500, "internal", messageOf(error)),
    );
  });
  callers.follow(server);
  server.keepAliveTimeout = 1;
  const removeFile = await listenAt(server, options.socket, options.group ?? null);
  const close = closing(server, feed, removeFile);
  signal.addEventListener("abort", () => void close(), { once: true });
  if (signal.aborted) await close();
  return { close };
}

/** Closes once, however often it is asked. */
function closing(server: Server, feed: StatusFeed, removeFile: () => Promise<void>): () => Promise<void> {
  let closed: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    feed.close();
    await removeFile();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  };
  return () => (closed ??= run());
}

/** One request, and what it is answered with. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly handler: AdminHandler;
  readonly callers: Callers;
  readonly feed: StatusFeed;
}

const POSTS: readonly string[] = [ROUTES.stepDown, ROUTES.maintenance];
const GETS: readonly string[] = [ROUTES.version, ROUTES.status, ROUTES.watch];

async function answer(exchange: Exchange): Promise<void> {
  const { request, response, handler, feed } = exchange;
  const path = request.url ?? "";
  const wanted = POSTS.includes(path) ? "POST" : "GET";
  if (wanted === "GET" && !GETS.includes(path) && !path.startsWith(ROUTES.elections))
    return fail(response, 404, "not-found", `no such route: ${path.slice(0, 100)}`);
  if (request.method !== wanted) return fail(response, 405, "bad-request", `use ${wanted}`);
  if (path === ROUTES.watch) return watch(exchange);
  endInTime(response);
  if (path === ROUTES.version) return send(response, handler.version());
  if (path === ROUTES.status) return sendLine(response, feed.line());
  if (path === ROUTES.stepDown)
    return act(exchange, stepDownRequestSchema, (body, caller) => handler.stepDown(body, caller));
  if (path === ROUTES.maintenance)
    return act(exchange, maintenanceRequestSchema, (body, caller) => handler.maintenance(body, caller));
  return election(path.slice(ROUTES.elections.length), response, handler);
}

/** Who does not read its answer keeps no place. */
function endInTime(response: ServerResponse): void {
  const timer = setTimeout(() => response.destroy(), ANSWER_MS);
  response.once("close", () => clearTimeout(timer));
}

function watch({ request, response, callers, feed }: Exchange): void {
  if (callers.mayWatch(request.socket)) return feed.watch(response);
  return fail(response, 503, "admin", "too many others watch this daemon: try again later");
}

async function election(name: string, response: ServerResponse, handler: AdminHandler): Promise<void> {
  if (!isName(name)) return fail(response, 400, "bad-request", "not a name of an election");
  const view = await attempt(response, () => handler.election(name));
  if (view === null) return fail(response, 404, "not-found", `no election is named ${name}`);
  if (view !== undefined) send(response, view);
}

/** A request that changes something: it is logged with who asked for it. */
async function act<T>(
  { request, response, callers }: Exchange,
  schema: ZodType<T, unknown>,
  run: (body: T, caller: Caller | null) => Promise<unknown>,
): Promise<void> {
  const body = await readBody(request);
  if (body === undefined) return fail(response, 413, "bad-request", `more than ${MAX_ADMIN_REQUEST_BYTES} bytes`);
  const parsed = schema.safeParse(parseJson(body));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`);
    return fail(response, 400, "bad-request", problems.join("; "));
  }
  const view = await attempt(response, () => run(parsed.data, callers.of(request.socket)));
  if (view !== undefined) send(response, view);
}

/** Runs the handler; a failure that it foresees is answered here, with `undefined` for the caller. */
async function attempt<T>(response: ServerResponse, run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (!isVipdError(error)) throw error;
    fail(response, 503, error.code, error.message);
    return undefined;
  }
}

/** The whole body; `undefined` when it is too large. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_ADMIN_REQUEST_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, view: unknown): void {
  sendLine(response, Buffer.from(`${JSON.stringify(view)}\n`));
}

function sendLine(response: ServerResponse, body: Buffer): void {
  if (body.length > MAX_ADMIN_ANSWER_BYTES)
    return fail(response, 500, "admin", `the answer is larger than ${MAX_ADMIN_ANSWER_BYTES} bytes`);
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
}

function fail(response: ServerResponse, status: number, code: string, message: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = Buffer.from(
    `${JSON.stringify({ error: { code, message: clip(message, MAX_VIEW_TEXT) } } satisfies FailureView)}\n`,
  );
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": body.length,
    connection: "close",
  });
  response.end(body);
}

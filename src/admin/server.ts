// The admin server of a daemon: a few HTTP routes on a unix socket, small limits, no state of its own.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { MAX_ADMIN_ANSWER_BYTES, MAX_ADMIN_CONNECTIONS, MAX_ADMIN_REQUEST_BYTES } from "../base/bounds.ts";
import { isVipdError, messageOf } from "../base/errors.ts";
import { isName } from "../base/names.ts";
import { ROUTES, stepDownRequestSchema } from "./protocol.ts";
import { listenAt } from "./socket-file.ts";
import type { ElectionView, FailureView, StatusView, StepDownRequest, StepDownView, VersionView } from "./views.ts";

/** What the daemon does for its admin server. */
export interface AdminHandler {
  version(): VersionView;
  /** At once, from memory. Without histories. */
  status(): StatusView;
  /** One election with its history; `null` when there is none of that name. */
  election(name: string): Promise<ElectionView | null>;
  /** Starts the handover; does not wait for its end. */
  stepDown(request: StepDownRequest): Promise<StepDownView>;
  /** Calls back after each change of what `status` shows, until the result is called. */
  onChange(listener: () => void): () => void;
}

/** Where to listen. */
export interface AdminServerOptions {
  /** Absolute path. */
  readonly socket: string;
  /** Name or number of the group that may use it; `null`: the process's own. */
  readonly group?: string | null;
}

/** A server that listens. */
export interface AdminServer {
  /** Hangs up on everybody and removes the socket; also done when the signal aborts. */
  close(): Promise<void>;
}

/** A client must send its request, and hear its answer, within this time in milliseconds. */
const REQUEST_MS = 5_000;
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
  const server = createServer(limits, (request, response) => {
    answer(request, response, handler).catch((error: unknown) => fail(response, 500, "internal", messageOf(error)));
  });
  server.maxConnections = MAX_ADMIN_CONNECTIONS;
  server.keepAliveTimeout = 1;
  const removeFile = await listenAt(server, options.socket, options.group ?? null);
  const close = closing(server, removeFile);
  signal.addEventListener("abort", () => void close(), { once: true });
  if (signal.aborted) await close();
  return { close };
}

/** Closes once, however often it is asked. */
function closing(server: Server, removeFile: () => Promise<void>): () => Promise<void> {
  let closed: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    await removeFile();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  };
  return () => (closed ??= run());
}

async function answer(request: IncomingMessage, response: ServerResponse, handler: AdminHandler): Promise<void> {
  const path = request.url ?? "";
  const wanted = path === ROUTES.stepDown ? "POST" : "GET";
  if (!knows(path)) return fail(response, 404, "not-found", `no such route: ${path.slice(0, 100)}`);
  if (request.method !== wanted) return fail(response, 405, "bad-request", `use ${wanted}`);
  if (path === ROUTES.version) return send(response, handler.version());
  if (path === ROUTES.status) return send(response, handler.status());
  if (path === ROUTES.watch) return watch(response, handler);
  if (path === ROUTES.stepDown) return stepDown(request, response, handler);
  return election(path.slice(ROUTES.elections.length), response, handler);
}

function knows(path: string): boolean {
  const fixed: readonly string[] = [ROUTES.version, ROUTES.status, ROUTES.watch, ROUTES.stepDown];
  return fixed.includes(path) || path.startsWith(ROUTES.elections);
}

async function election(name: string, response: ServerResponse, handler: AdminHandler): Promise<void> {
  if (!isName(name)) return fail(response, 400, "bad-request", "not a name of an election");
  const view = await attempt(response, () => handler.election(name));
  if (view === null) return fail(response, 404, "not-found", `no election is named ${name}`);
  if (view !== undefined) send(response, view);
}

async function stepDown(request: IncomingMessage, response: ServerResponse, handler: AdminHandler): Promise<void> {
  const body = await readBody(request);
  if (body === undefined) return fail(response, 413, "bad-request", `more than ${MAX_ADMIN_REQUEST_BYTES} bytes`);
  const parsed = stepDownRequestSchema.safeParse(parseJson(body));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`);
    return fail(response, 400, "bad-request", problems.join("; "));
  }
  const view = await attempt(response, () => handler.stepDown(parsed.data));
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

/** One line now and one after each change. A slow reader misses states in between, never the newest. */
function watch(response: ServerResponse, handler: AdminHandler): void {
  let changed = true;
  let busy = false;
  const write = (): void => {
    if (busy || !changed || response.destroyed) return;
    changed = false;
    busy = true;
    const flushed = response.write(`${JSON.stringify(handler.status())}\n`);
    const again = (): void => {
      busy = false;
      write();
    };
    if (flushed) setImmediate(again);
    else response.once("drain", again);
  };
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  const stop = handler.onChange(() => {
    changed = true;
    write();
  });
  response.once("close", stop);
  write();
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, view: unknown): void {
  const body = Buffer.from(`${JSON.stringify(view)}\n`);
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
  const body = Buffer.from(`${JSON.stringify({ error: { code, message } } satisfies FailureView)}\n`);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": body.length,
    connection: "close",
  });
  response.end(body);
}

// One HTTP exchange, bounded in everything: no redirect is followed, no connection is kept, no more of the answer is read
// than is wanted, and the signal ends it at any point.

import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { type RequestOptions as TlsRequestOptions, request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { messageOf } from "../base/errors.ts";
import { type ResolvedAddress, lookupFrom, resolveHost } from "./resolve.ts";
import { connectionFailure } from "./words.ts";

// As src/admin/http.ts has it: an import as a module would load Node's whole web client.
const { request: httpRequest } = process.getBuiltinModule("node:http");

/** Longest head of an answer, in bytes. */
const MAX_HEAD_BYTES = 16 * 1024;

/** How TLS is spoken. */
export interface TlsOptions {
  /** The name in the handshake (SNI), which the certificate must be for; `null`: the URL's host. */
  readonly serverName: string | null;
  /** Whether the certificate must be valid. */
  readonly verify: boolean;
  /** PEM text of the CAs to trust instead of the system's; `null`: the system's. */
  readonly ca: string | null;
}

/** One request. */
export interface ExchangeRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** The address or name to connect to instead of the URL's host. */
  readonly connectTo: string | null;
  readonly tls: TlsOptions;
  /** How much of the answer's body is read, in bytes; the rest is not waited for. */
  readonly maxBodyBytes: number;
}

/** What came of it. */
export type ExchangeResult =
  | { readonly kind: "answer"; readonly status: number; readonly body: Buffer }
  /** There is no whole answer, for this reason in words. */
  | { readonly kind: "failure"; readonly reason: string };

/** Makes the request. Never rejects; settles at once when `signal` aborts. */
export async function exchange(request: ExchangeRequest, signal: AbortSignal): Promise<ExchangeResult> {
  const host = request.connectTo ?? hostOf(request.url);
  const addresses = await resolveHost(host, signal);
  if (typeof addresses === "string") return { kind: "failure", reason: addresses };
  if (signal.aborted) return { kind: "failure", reason: "stopped before it was sent" };
  try {
    return await send(request, host, addresses, signal);
  } catch (error) {
    // Node throws at once for a header or a method that HTTP does not allow.
    return { kind: "failure", reason: messageOf(error) };
  }
}

function send(
  request: ExchangeRequest,
  host: string,
  addresses: readonly ResolvedAddress[],
  signal: AbortSignal,
): Promise<ExchangeResult> {
  return new Promise((resolve) => {
    const sent = open(request, host, addresses);
    const settle = (result: ExchangeResult): void => {
      signal.removeEventListener("abort", onAbort);
      sent.destroy();
      resolve(result);
    };
    const fail = (error: unknown): void => settle({ kind: "failure", reason: connectionFailure(error) });
    const onAbort = (): void => settle({ kind: "failure", reason: "stopped before the answer was there" });
    signal.addEventListener("abort", onAbort, { once: true });
    // Stays: a socket that is destroyed may still tell of an error.
    sent.on("error", fail);
    sent.on("close", () =>
      settle({ kind: "failure", reason: "the connection was closed before the answer was whole" }),
    );
    sent.on("upgrade", (answer, socket) => {
      socket.destroy();
      settle({ kind: "answer", status: answer.statusCode ?? 0, body: Buffer.alloc(0) });
    });
    sent.on("response", (answer) => readAnswer(answer, request.maxBodyBytes, settle, fail));
    sent.end(request.body ?? undefined);
  });
}

function readAnswer(
  answer: IncomingMessage,
  maxBytes: number,
  settle: (result: ExchangeResult) => void,
  fail: (error: unknown) => void,
): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const done = (): void =>
    settle({
      kind: "answer",
      status: answer.statusCode ?? 0,
      body: Buffer.concat(chunks).subarray(0, maxBytes),
    });
  answer.on("error", fail);
  answer.on("end", done);
  if (maxBytes === 0) return done();
  answer.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxBytes) done();
  });
}

function open(request: ExchangeRequest, host: string, addresses: readonly ResolvedAddress[]): ClientRequest {
  const { url, tls } = request;
  const isTls = url.protocol === "https:";
  const options: RequestOptions = {
    host,
    port: url.port === "" ? (isTls ? 443 : 80) : Number(url.port),
    method: request.method,
    path: `${url.pathname}${url.search}`,
    headers: { Host: url.host, "User-Agent": "vipd", Connection: "close", ...withLength(request) },
    agent: false,
    setHost: false,
    maxHeaderSize: MAX_HEAD_BYTES,
    lookup: lookupFrom(addresses),
    ...(url.username === "" ? {} : { auth: decodeURIComponent(`${url.username}:${url.password}`) }),
  };
  return isTls ? httpsRequest({ ...options, ...tlsOptions(tls, hostOf(url)) }) : httpRequest(options);
}

/** Without a length the body would go in chunks, which small servers do not read. */
function withLength({ headers, body }: ExchangeRequest): Record<string, string> {
  return body === null ? { ...headers } : { ...headers, "Content-Length": String(Buffer.byteLength(body)) };
}

/** The name that the certificate is checked for is the one of the handshake or of the URL, whatever we connect to. */
function tlsOptions({ serverName, verify, ca }: TlsOptions, host: string): TlsRequestOptions {
  const name = serverName ?? host;
  return {
    servername: isIP(name) === 0 ? name : "",
    rejectUnauthorized: verify,
    checkServerIdentity: (_, certificate) => checkServerIdentity(name, certificate),
    ...(ca === null ? {} : { ca }),
  };
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/u, "$1");
}

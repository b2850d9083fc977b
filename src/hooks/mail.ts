// Events as e-mail through an SMTP server. The client (nodemailer) is handed in.

import { isIP } from "node:net";
import { messageOf } from "../base/errors.ts";
import type { Timers } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import { resolveHost } from "../net/resolve.ts";
import { printable } from "../process/output.ts";
import { type DeliveryAttempt, Delivery } from "./delivery.ts";
import type { HookEvent } from "./event.ts";
import type { MailOptions } from "../config/hook-options.ts";

const MAX_SUBJECT_LENGTH = 200;

/** One message, as nodemailer takes it. */
export interface MailMessage {
  readonly from: string;
  readonly to: string[];
  readonly subject: string;
  readonly text: string;
  readonly headers: Record<string, string>;
  /** Ends the connection. */
  readonly signal: AbortSignal;
}

/** How to reach the server, as nodemailer takes it. */
export interface MailTransportOptions {
  /** A literal address: nodemailer shall look nothing up. */
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte. */
  readonly secure: boolean;
  readonly requireTLS: boolean;
  readonly ignoreTLS: boolean;
  readonly auth?: { readonly user: string; readonly pass: string };
  readonly tls: { readonly servername?: string; readonly rejectUnauthorized: boolean; readonly ca?: string };
  readonly connectionTimeout: number;
  readonly greetingTimeout: number;
  readonly socketTimeout: number;
}

/** The part of a nodemailer transport that is used. */
export interface MailTransport {
  sendMail(message: MailMessage): Promise<unknown>;
  close(): void;
}

/** What mail needs. */
export interface MailDeps {
  readonly timers: Timers;
  readonly log: Logger;
  /** nodemailer's `createTransport`. */
  readonly createTransport: (options: MailTransportOptions) => MailTransport;
}

/** A mailer. */
export function createMailer(options: MailOptions, deps: MailDeps): Delivery {
  const { timers, log } = deps;
  const attempt = (event: HookEvent, signal: AbortSignal): Promise<DeliveryAttempt> =>
    send(options, deps, event, signal);
  return new Delivery(options, { timers, log, target: `mail server ${options.host}`, attempt });
}

async function send(
  options: MailOptions,
  deps: MailDeps,
  event: HookEvent,
  signal: AbortSignal,
): Promise<DeliveryAttempt> {
  const addresses = await resolveHost(options.host, signal);
  const [first] = typeof addresses === "string" ? [] : addresses;
  if (first === undefined || typeof addresses === "string") return { kind: "failed", reason: String(addresses) };
  const transport = deps.createTransport(transportOptions(options, first.address));
  try {
    await transport.sendMail(messageFor(options, event, signal));
    return { kind: "done" };
  } catch (error) {
    return { kind: isRefusal(error) ? "refused" : "failed", reason: printable(messageOf(error), MAX_SUBJECT_LENGTH) };
  } finally {
    transport.close();
  }
}

/** Replies 5xx are for good (RFC 5321, section 4.2.1). */
function isRefusal(error: unknown): boolean {
  const code = error instanceof Error && "responseCode" in error ? Number(error.responseCode) : 0;
  return code >= 500 && code < 600;
}

function transportOptions(options: MailOptions, address: string): MailTransportOptions {
  const { host, port, security, verify, ca, credentials, timeoutMs } = options;
  return {
    host: address,
    port,
    secure: security === "tls",
    requireTLS: security === "starttls",
    ignoreTLS: security === "none",
    ...(credentials === null ? {} : { auth: { user: credentials.user, pass: credentials.password } }),
    tls: {
      ...(isIP(host) === 0 ? { servername: host } : {}),
      rejectUnauthorized: verify,
      ...(ca === null ? {} : { ca }),
    },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  };
}

function messageFor({ from, to }: MailOptions, event: HookEvent, signal: AbortSignal): MailMessage {
  const { election, state, node, reason } = event;
  return {
    from,
    to: [...to],
    subject: printable(`[vipd] ${election}: ${state} on ${node} (${reason.text})`, MAX_SUBJECT_LENGTH),
    text: textOf(event),
    headers: { "Auto-Submitted": "auto-generated" },
    signal,
  };
}

function textOf(event: HookEvent): string {
  const { election, state, previous, node, reason, addresses, token, priority, wallMs } = event;
  const lines: readonly (readonly [string, string])[] = [
    ["election", election],
    ["state", previous === null ? state : `${state} (before: ${previous})`],
    ["node", node],
    ["reason", `${reason.text} (${reason.code})`],
    ["addresses", addresses.join(" ")],
    ["token", token],
    ["priority", String(priority)],
    ["time", new Date(wallMs).toISOString()],
  ];
  return lines.map(([name, value]) => `${`${name}:`.padEnd(11)}${value}\n`).join("");
}

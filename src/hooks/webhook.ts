// Events as POST requests of JSON, signed.

import { createHmac } from "node:crypto";
import { VipdError } from "../base/errors.ts";
import type { Timers } from "../ports/clock.ts";
import type { Logger } from "../ports/logger.ts";
import { exchange } from "../net/exchange.ts";
import { type DeliveryAttempt, Delivery } from "./delivery.ts";
import { type HookEvent, jsonOf } from "./event.ts";
import type { WebhookOptions } from "../config/hook-options.ts";

/** Statuses that say: later (RFC 9110, sections 15.5.9 and 15.6; RFC 8470; RFC 6585). */
const LATER = new Set([408, 425, 429]);

/** What a webhook needs. */
export interface WebhookDeps {
  readonly timers: Timers;
  readonly log: Logger;
}

/** A webhook; throws "config" when the URL is none. Logs name its host only: the path may be a secret. */
export function createWebhook(options: WebhookOptions, { timers, log }: WebhookDeps): Delivery {
  const url = URL.canParse(options.url) ? new URL(options.url) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new VipdError("config", "a webhook's URL begins with http:// or https:// and a host");
  const attempt = (event: HookEvent, signal: AbortSignal): Promise<DeliveryAttempt> =>
    post(url, options, event, signal);
  return new Delivery(options, { timers, log, target: `webhook ${url.host}`, attempt });
}

async function post(
  url: URL,
  options: WebhookOptions,
  event: HookEvent,
  signal: AbortSignal,
): Promise<DeliveryAttempt> {
  const { secret, headers, verify, ca } = options;
  const body = jsonOf(event);
  const request = {
    url,
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json", ...(secret === null ? {} : signature(body, secret)) },
    body,
    connectTo: null,
    tls: { serverName: null, verify, ca },
    maxBodyBytes: 0,
  };
  const result = await exchange(request, signal);
  if (result.kind === "failure") return { kind: "failed", reason: result.reason };
  const { status } = result;
  if (status >= 200 && status < 300) return { kind: "done" };
  if (status >= 500 || LATER.has(status)) return { kind: "failed", reason: `HTTP ${status}` };
  return { kind: "refused", reason: `HTTP ${status}${status < 400 ? ": redirects are not followed" : ""}` };
}

/** The signature of a body: HMAC-SHA256 (RFC 2104) in hex over its bytes. */
export function signature(body: string, secret: string): Readonly<Record<string, string>> {
  return { "X-Vipd-Signature": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}` };
}

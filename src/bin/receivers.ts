// Who is told of transitions: hooks, a webhook, mail. Their secrets are read from files here, before anything is changed.

import { isDeepStrictEqual } from "node:util";
import { readRegularFile } from "../../adapters/common/regular-file.ts";
import { MAX_SECRET_BYTES } from "../base/bounds.ts";
import { messageOf, VipdError } from "../base/errors.ts";
import type { MailOptions, WebhookOptions } from "../config/hook-options.ts";
import type { Config, MailConfig, VipConfig, WebhookConfig } from "../config/types.ts";
import type { Delivery } from "../hooks/delivery.ts";
import type { HookEvent } from "../hooks/event.ts";
import { createMailer, type MailTransport } from "../hooks/mail.ts";
import { HookRunner, type HookRunnerDeps } from "../hooks/runner.ts";
import { createWebhook } from "../hooks/webhook.ts";

/** Hooks that are under way when the daemon stops get so long at least, in milliseconds. */
const LEAST_STOP_MS = 3_000;

/** What waits to be delivered when the daemon stops, or its receiver is another one, gets so long; in milliseconds. */
const LAST_DELIVERY_MS = 2_000;

type Receiving = Pick<Config, "webhook" | "mail">;

/** Everybody who is told. */
export class Receivers {
  private readonly deps: HookRunnerDeps;
  private readonly hooks: HookRunner;
  private config: Pick<Config, "webhook" | "mail" | "vips"> = { webhook: null, mail: null, vips: [] };
  private deliveries: readonly Delivery[] = [];
  private readonly retiring = new Set<Promise<void>>();

  constructor(deps: HookRunnerDeps) {
    this.deps = deps;
    this.hooks = new HookRunner(deps);
  }

  /** Gets ready for a configuration; the result puts it in force. Throws "config" for a file that cannot be read. */
  async prepare(config: Config): Promise<() => void> {
    const isSame = isDeepStrictEqual(receiving(this.config), receiving(config));
    const deliveries = isSame ? this.deliveries : await makeDeliveries(config, this.deps);
    return () => {
      this.config = config;
      this.hooks.plan(hooksOf(config.vips));
      if (isSame) return;
      for (const delivery of this.deliveries) this.retire(delivery);
      this.deliveries = deliveries;
    };
  }

  /** Has the hooks of VIPs that a reload is about to bring told of them from now on; those of others stay as they are. */
  admit(vips: Config["vips"]): void {
    this.hooks.plan(new Map([...hooksOf(vips), ...hooksOf(this.config.vips)]));
  }

  /** Tells all of an event; returns at once. */
  tell(event: HookEvent): void {
    this.hooks.post(event);
    for (const delivery of this.deliveries) delivery.post(event);
  }

  /** Waits for the hooks, those of the stop within their own limit, and for deliveries a little. */
  async stop(): Promise<void> {
    const limits = this.config.vips.flatMap(({ hooks }) =>
      hooks.flatMap(({ on, timeoutMs }) => (on === "onStop" || on === "notify" ? [timeoutMs] : [])),
    );
    const withinMs = limits.reduce((longest, ms) => Math.max(longest, ms), LEAST_STOP_MS);
    for (const delivery of this.deliveries) this.retire(delivery);
    await Promise.all([this.hooks.stop(withinMs), ...this.retiring]);
  }

  private retire(delivery: Delivery): void {
    const ending = delivery.stop(LAST_DELIVERY_MS).then(() => void this.retiring.delete(ending));
    this.retiring.add(ending);
  }
}

function hooksOf(vips: Config["vips"]): ReadonlyMap<string, VipConfig["hooks"]> {
  return new Map(vips.map(({ name, hooks }) => [name, hooks]));
}

function receiving({ webhook, mail }: Receiving): Receiving {
  return { webhook, mail };
}

async function makeDeliveries({ webhook, mail }: Receiving, deps: HookRunnerDeps): Promise<readonly Delivery[]> {
  const deliveries: Delivery[] = [];
  if (webhook !== null) deliveries.push(createWebhook(withKey(webhook), deps));
  if (mail !== null) {
    const { createTransport } = await import("nodemailer");
    const options = withCredentials(mail);
    deliveries.push(
      createMailer(options, { ...deps, createTransport: (transport): MailTransport => createTransport(transport) }),
    );
  }
  return deliveries;
}

function withKey({ secretFile, caFile, ...rest }: WebhookConfig): WebhookOptions {
  return { ...rest, secret: secret("webhook.secretFile", secretFile), ca: text("webhook.caFile", caFile) };
}

function withCredentials({ user, passwordFile, caFile, ...rest }: MailConfig): MailOptions {
  const password = secret("mail.passwordFile", passwordFile) ?? "";
  return { ...rest, credentials: user === null ? null : { user, password }, ca: text("mail.caFile", caFile) };
}

/** Editors end a file with a newline, which is no part of a secret. */
function secret(key: string, file: string | null): string | null {
  return text(key, file)?.replace(/\r?\n$/u, "") ?? null;
}

function text(key: string, file: string | null): string | null {
  if (file === null) return null;
  try {
    return new TextDecoder().decode(readRegularFile(file, MAX_SECRET_BYTES));
  } catch (error) {
    throw new VipdError("config", `${key}: ${file} cannot be read: ${messageOf(error)}`, { file }, error);
  }
}

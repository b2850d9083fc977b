// What the file says of checks and hooks, as the daemon takes it: every default filled in.

import type { CheckOptions, CheckPlan, RecoverOptions } from "./check-options.ts";
import type { FileCheck, FileCheckRef } from "./checks-schema.ts";
import type { HookOptions, HookTrigger } from "./hook-options.ts";
import type { FileHooks, FileMail, FileWebhook } from "./hooks-schema.ts";
import type { MailConfig, VipCheck, WebhookConfig } from "./types.ts";

/** From SIGTERM to SIGKILL where the file says nothing, in milliseconds. */
const GRACE_MS = 1_000;

/** The shortest limit of a look that nobody has set, in milliseconds. */
const LEAST_TIMEOUT_MS = 1_000;

/** A neighbour answers within this, or it is not there; in milliseconds. */
const MAX_ANSWER_MS = 1_000;

/** How much of a web server's answer is read to look for text in it, in bytes. */
const MAX_BODY_BYTES = 64 * 1024;

const DEBOUNCE_MS = 100;

/** The check of this name; `undefined` when it looks at nothing, which is a mistake of its own. */
export function buildCheck(name: string, check: FileCheck): CheckPlan | undefined {
  const timeoutMs = check.timeout ?? Math.max(check.interval, LEAST_TIMEOUT_MS);
  const options = optionsOf(check, timeoutMs);
  if (options === undefined) return undefined;
  const { interval, rise, fall, initial, recover } = check;
  const tried =
    recover === undefined ? null : { tries: recover.tries, waitMs: recover.wait, timeoutMs: recover.timeout };
  const policy = { intervalMs: interval, timeoutMs, rise, fall, initial, recover: tried };
  return { name, policy, options, recover: recover === undefined ? null : buildRecover(recover) };
}

function buildRecover(recover: NonNullable<FileCheck["recover"]>): RecoverOptions {
  const { run: argv, user, grace, service } = recover;
  return { service: service ?? serviceOf(argv), argv, user: user ?? null, graceMs: grace };
}

/** The unit that a service manager is told to restart; of any other command itself. */
export function serviceOf(argv: readonly string[]): string {
  const words = argv.filter((word) => !word.startsWith("-"));
  const program = words[0]?.split("/").at(-1) ?? "";
  if (program === "systemctl") return (words[2] ?? argv.join(" ")).replace(/\.service$/u, "");
  if (program === "service" || program === "rc-service") return words[1] ?? argv.join(" ");
  return argv.join(" ");
}

function optionsOf(check: FileCheck, timeoutMs: number): CheckOptions | undefined {
  const { script, tcp, process, file, gateway, interface: link } = check;
  if (script !== undefined)
    return { kind: "script", argv: script, user: check.user ?? null, graceMs: check.grace ?? GRACE_MS };
  if (check.http !== undefined) return httpOptions(check, check.http);
  if (tcp !== undefined) return { kind: "tcp", ...tcp, send: check.send ?? null, expect: check.expect ?? null };
  if (process !== undefined) return processOptions(check, process);
  if (file !== undefined) return { kind: "file", path: file, wants: check.wants ?? "present" };
  if (gateway !== undefined) {
    const waitMs = Math.min(MAX_ANSWER_MS, timeoutMs * 0.8);
    return { kind: "gateway", address: gateway, interface: check.via ?? "", waitMs };
  }
  return link === undefined
    ? undefined
    : { kind: "interface", interface: link, debounceMs: check.debounce ?? DEBOUNCE_MS };
}

function httpOptions(check: FileCheck, url: string): CheckOptions {
  return {
    kind: "http",
    url,
    method: check.method ?? "GET",
    headers: check.headers ?? {},
    connectTo: check.connectTo ?? null,
    serverName: check.serverName ?? null,
    verify: check.verify ?? true,
    caFile: check.caFile ?? null,
    statuses: check.status ?? [{ from: 200, to: 399 }],
    contains: check.contains ?? null,
    matches: check.matches ?? null,
    maxBodyBytes: MAX_BODY_BYTES,
  };
}

function processOptions(check: FileCheck, named: string): CheckOptions {
  const isPidfile = named.startsWith("/");
  return {
    kind: "process",
    name: isPidfile ? null : named,
    pidfile: isPidfile ? named : (check.pidfile ?? null),
    least: check.least ?? 1,
  };
}

/** What a VIP makes of a check that it names: its own weight, or the check's. */
export function buildVipCheck(ref: FileCheckRef, checks: Readonly<Record<string, FileCheck>>): VipCheck {
  const named = checks[ref.check];
  return {
    check: ref.check,
    weight: ref.weight ?? named?.weight ?? null,
    reverse: ref.reverse ?? named?.reverse ?? false,
    numeric: named?.wants === "number",
  };
}

const TRIGGERS: readonly HookTrigger[] = ["onMaster", "onBackup", "onFault", "onStop", "onConflict", "notify"];

/** The commands of a `hooks:` group; `notify` comes last, as in keepalived. */
export function buildHooks(hooks: FileHooks | undefined): readonly HookOptions[] {
  if (hooks === undefined) return [];
  const { arguments: kind, timeout: timeoutMs, grace: graceMs, user } = hooks;
  return TRIGGERS.flatMap((on): readonly HookOptions[] => {
    const argv = hooks[on];
    return argv === undefined ? [] : [{ on, argv, user: user ?? null, graceMs, timeoutMs, arguments: kind }];
  });
}

/** The webhook; `null`: none. */
export function buildWebhook(webhook: FileWebhook | undefined): WebhookConfig | null {
  if (webhook === undefined) return null;
  const { url, secretFile, headers, timeout: timeoutMs, deadline: deadlineMs, verify, caFile } = webhook;
  return {
    url,
    secretFile: secretFile ?? null,
    headers: headers ?? {},
    timeoutMs,
    deadlineMs,
    verify,
    caFile: caFile ?? null,
  };
}

/** The mail; `null`: none. */
export function buildMail(mail: FileMail | undefined): MailConfig | null {
  if (mail === undefined) return null;
  const { host, port, security, user, passwordFile, from, to, verify, caFile } = mail;
  return {
    ...{ host, port, security, user: user ?? null, passwordFile: passwordFile ?? null, from, to, verify },
    ...{ caFile: caFile ?? null, timeoutMs: mail.timeout, deadlineMs: mail.deadline },
  };
}

// Who is told of transitions, as the configuration says: secrets come from files, and a reload changes receivers at once.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Receivers } from "../../../src/bin/receivers.ts";
import type { Config, MailConfig, WebhookConfig } from "../../../src/config/types.ts";
import { signature } from "../../../src/hooks/webhook.ts";
import { recordingLog } from "../checks/recording-log.ts";
import { httpServer, tcpServer } from "../checks/servers.ts";
import { eventOf } from "../hooks/events.ts";
import { config as configOf, vipConfig } from "../node/config.ts";
import { timers } from "../process/scripts.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdrec-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Received {
  readonly body: string;
  readonly signature: unknown;
}

async function server(): Promise<{ readonly url: string; readonly received: Received[] }> {
  const received: Received[] = [];
  const port = await httpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { "x-vipd-signature": signed = "" } = request.headers;
      received.push({ body: Buffer.concat(chunks).toString(), signature: signed });
      response.writeHead(204).end();
    });
  });
  return { url: `http://127.0.0.1:${port}/`, received };
}

const DELIVERY = { verify: true, caFile: null, timeoutMs: 2_000, deadlineMs: 0 };

const webhookTo = (url: string, secretFile: string | null = null): WebhookConfig => ({
  ...DELIVERY,
  url,
  secretFile,
  headers: {},
});

const configWith = (change: Partial<Config>): Config => ({ ...configOf([]), ...change });

test("a webhook is signed with the key in its file; a reload goes to the new one from then on", async () => {
  const [first, second] = [await server(), await server()];
  const key = join(directory, "key");
  writeFileSync(key, "s3cret\n");
  const receivers = new Receivers({ timers, log: recordingLog().log });
  (await receivers.prepare(configWith({ webhook: webhookTo(first.url, key) })))();
  receivers.tell(eventOf("web", "MASTER"));
  await expect.poll(() => first.received).toHaveLength(1);
  const [{ body, signature: signed } = { body: "", signature: "" }] = first.received;
  expect(signed).toBe(signature(body, "s3cret")["X-Vipd-Signature"]);
  (await receivers.prepare(configWith({ webhook: webhookTo(second.url) })))();
  receivers.tell(eventOf("web", "BACKUP"));
  await receivers.stop();
  expect(first.received).toHaveLength(1);
  expect(second.received.map(({ body: text }) => JSON.parse(text) as unknown)).toMatchObject([{ state: "BACKUP" }]);
});

test("the hooks of a VIP that a reload brings are told of it before the rest is in force, and those of one that is gone to the end", async () => {
  const notes = join(directory, "notes");
  const script = join(directory, "hook.sh");
  writeFileSync(script, `#!/bin/sh\nsleep 0.1\necho "$1 $VIPD_ELECTION $VIPD_STATE" >> ${notes}\n`, { mode: 0o755 });
  const common = { on: "notify", user: null, graceMs: 100, timeoutMs: 5_000, arguments: "vipd" } as const;
  const vip = (name: string, word: string): Config["vips"][number] =>
    vipConfig(name, [], { hooks: [{ ...common, argv: [script, word] }] });
  const receivers = new Receivers({ timers, log: recordingLog().log });
  (await receivers.prepare(configWith({ vips: [vip("web", "old"), vip("mail", "old")] })))();
  const next = [vip("mail", "new"), vip("news", "new")];
  const takeOver = await receivers.prepare(configWith({ vips: next }));
  receivers.tell(eventOf("web", "MASTER"));
  receivers.admit(next);
  for (const [name, state] of [
    ["news", "BACKUP"],
    ["mail", "MASTER"],
    ["web", "STOP"],
  ] as const)
    receivers.tell(eventOf(name, state));
  takeOver();
  await receivers.stop();
  expect(readFileSync(notes, "utf8").trim().split("\n").toSorted()).toEqual([
    "new news BACKUP",
    "old mail MASTER",
    "old web MASTER",
    "old web STOP",
  ]);
});

test("a file that cannot be read is told with its key, and nothing is changed", async () => {
  const { url, received } = await server();
  const receivers = new Receivers({ timers, log: recordingLog().log });
  (await receivers.prepare(configWith({ webhook: webhookTo(url) })))();
  const missing = configWith({ webhook: webhookTo(url, join(directory, "none")) });
  await expect(receivers.prepare(missing)).rejects.toMatchObject({
    code: "config",
    message: expect.stringMatching(/^webhook\.secretFile: .*none cannot be read/u) as string,
  });
  receivers.tell(eventOf("web", "FAULT"));
  await receivers.stop();
  expect(received).toHaveLength(1);
});

test("a pipe in the place of a secret is refused at once: its writer may never come", async () => {
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const receivers = new Receivers({ timers, log: recordingLog().log });
  await expect(
    receivers.prepare(configWith({ webhook: webhookTo("http://127.0.0.1:9/", pipe) })),
  ).rejects.toMatchObject({
    code: "config",
    message: `webhook.secretFile: ${pipe} cannot be read: ${pipe} is a pipe: give a regular file`,
  });
});

test("a mail server that is silent delays no stop for long, and the log says that nobody was told", async () => {
  const port = await tcpServer(() => {});
  const log = recordingLog();
  const mail: MailConfig = {
    ...DELIVERY,
    timeoutMs: 20_000,
    ...{ host: "127.0.0.1", port, security: "none", user: null, passwordFile: null, from: "a@b.c", to: ["d@e.f"] },
  };
  const receivers = new Receivers({ timers, log: log.log });
  (await receivers.prepare(configWith({ mail })))();
  receivers.tell(eventOf("web", "STOP"));
  const began = performance.now();
  await receivers.stop();
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(log.lines.map(({ message }) => message).join("\n")).toContain("is not told of web STOP");
});

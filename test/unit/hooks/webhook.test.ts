import { createHmac } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { createWebhook } from "../../../src/hooks/webhook.ts";
import type { WebhookOptions } from "../../../src/config/hook-options.ts";
import type { Delivery } from "../../../src/hooks/delivery.ts";
import { closedPort, httpServer, tcpServer } from "../checks/servers.ts";
import { recordingLog } from "../checks/recording-log.ts";
import { timers } from "../process/scripts.ts";
import { eventOf } from "./events.ts";

interface Request {
  readonly method: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

let log: ReturnType<typeof recordingLog>;
beforeEach(() => {
  log = recordingLog();
});

function webhook(port: number, more: Partial<WebhookOptions> = {}): Delivery {
  const options = {
    url: `http://127.0.0.1:${port}/secret-path?token=x`,
    secret: null,
    headers: {},
    verify: true,
    ca: null,
    timeoutMs: 300,
    deadlineMs: 10_000,
    ...more,
  };
  return createWebhook(options, { timers, log: log.log });
}

/** A server that answers these statuses in turn, the last one for ever. */
async function server(
  ...statuses: readonly number[]
): Promise<{ readonly port: number; readonly requests: Request[] }> {
  const requests: Request[] = [];
  const port = await httpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const status = statuses[Math.min(requests.length, statuses.length - 1)] ?? 200;
      requests.push({ method: request.method, headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(status, { Location: "/elsewhere" }).end();
    });
  });
  return { port, requests };
}

function messages(): readonly string[] {
  return log.lines.map(({ message }) => message);
}

describe("a webhook", () => {
  test("posts the event as JSON, and signs its bytes", async () => {
    const { port, requests } = await server(204);
    const hook = webhook(port, { secret: "s3cret", headers: { "X-Team": "web" } });
    hook.post(eventOf("web", "MASTER", { previous: "BACKUP", reason: { code: "broken", text: "β is silent" } }));
    await hook.stop(5_000);
    const [request] = requests;
    const body = request?.body ?? "";
    expect(JSON.parse(body)).toEqual({
      election: "web",
      state: "MASTER",
      previous: "BACKUP",
      token: "42",
      addresses: ["10.0.0.50/24", "2001:db8::50/64"],
      reason: "broken",
      reasonText: "β is silent",
      node: "alpha",
      priority: 150,
      time: "2027-01-15T08:00:00.000Z",
    });
    const hmac = createHmac("sha256", "s3cret").update(body).digest("hex");
    expect(request).toMatchObject({
      method: "POST",
      headers: {
        "content-type": "application/json",
        "content-length": String(Buffer.byteLength(body)),
        "x-vipd-signature": `sha256=${hmac}`,
        "x-team": "web",
      },
    });
  });

  test("has no signature without a secret", async () => {
    const { port, requests } = await server(200);
    const hook = webhook(port);
    hook.post(eventOf("web", "MASTER"));
    await hook.stop(5_000);
    expect(requests[0]?.headers).not.toHaveProperty("x-vipd-signature");
  });

  test("is tried again after 500 and 429, and the order is kept", async () => {
    const { port, requests } = await server(500, 429, 200);
    const hook = webhook(port);
    for (const state of ["MASTER", "BACKUP", "MASTER"] as const) hook.post(eventOf("web", state));
    await hook.stop(10_000);
    const states = requests.map(({ body }) => (JSON.parse(body) as { state: string }).state);
    expect(states).toEqual(["MASTER", "MASTER", "MASTER", "BACKUP", "MASTER"]);
    expect(messages()).toEqual([
      expect.stringMatching(/^webhook 127\.0\.0\.1:\d+: HTTP 500; tried again in 500 ms$/u),
      expect.stringMatching(/HTTP 429; tried again in 1000 ms$/u),
    ]);
  });

  test.each([
    { status: 404, why: /HTTP 404$/u },
    { status: 302, why: /HTTP 302: redirects are not followed$/u },
  ])("is not tried again after $status: it will not get better", async ({ status, why }) => {
    const { port, requests } = await server(status);
    const hook = webhook(port);
    hook.post(eventOf("web", "MASTER"));
    await hook.stop(5_000);
    expect(requests).toHaveLength(1);
    expect(messages()).toEqual([expect.stringMatching(why)]);
  });

  test.each([
    {
      name: "hangs",
      start: () => tcpServer((socket) => void socket.resume()),
      why: /not done within 300 ms/u,
    },
    { name: "closes", start: () => tcpServer((socket) => socket.destroy()), why: /closed or reset/u },
    { name: "is not there", start: closedPort, why: /connection refused/u },
  ])("of a server that $name is given up at the deadline, and the log says why", async ({ start, why }) => {
    const hook = webhook(await start(), { deadlineMs: 900 });
    const began = performance.now();
    hook.post(eventOf("web", "MASTER"));
    await hook.stop(10_000);
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(messages().at(-1)).toMatch(/^webhook 127\.0\.0\.1:\d+ is not told of web MASTER: /u);
    expect(messages().at(-1)).toMatch(why);
  });

  test("drops the oldest of too many, each with a word", async () => {
    const { port, requests } = await server(200);
    const hook = webhook(port);
    for (let number = 0; number < 130; number += 1) hook.post(eventOf("web", "MASTER", { token: String(number) }));
    await hook.stop(10_000);
    const tokens = requests.map(({ body }) => (JSON.parse(body) as { token: string }).token);
    expect(tokens).toHaveLength(101);
    expect([tokens[0], tokens[1], tokens.at(-1)]).toEqual(["0", "30", "129"]);
    expect(messages().filter((message) => /100 newer ones wait/u.test(message))).toHaveLength(29);
  });

  test("ends with the daemon, whatever the server does, and names what was not delivered", async () => {
    const hook = webhook(await tcpServer((socket) => void socket.resume()), { timeoutMs: 60_000 });
    for (const state of ["MASTER", "BACKUP"] as const) hook.post(eventOf("web", state));
    const began = performance.now();
    await hook.stop(100);
    expect(performance.now() - began).toBeLessThan(1_500);
    hook.post(eventOf("web", "STOP"));
    expect(messages().filter((message) => message.includes("the daemon stops"))).toHaveLength(3);
    expect(messages().filter((message) => message.includes("tried again"))).toEqual([]);
  });

  test("shows no path and no secret in the log", async () => {
    const hook = webhook(await closedPort(), { secret: "s3cret", deadlineMs: 0 });
    hook.post(eventOf("web", "MASTER"));
    await hook.stop(5_000);
    expect(JSON.stringify(log.lines)).not.toMatch(/secret-path|token=|s3cret/u);
  });

  test.each(["example.com/hook", "ftp://example.com/", ""])("of no URL is refused at once: %j", (url) => {
    expect(() => webhook(1, { url })).toThrow(expect.objectContaining({ code: "config" }));
  });
});

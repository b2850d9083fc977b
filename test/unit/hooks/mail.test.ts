// Mail through a transport that a test speaks for; what nodemailer makes of it on the wire is not asked here.

import { expect, test } from "vitest";
import type { HookEvent } from "../../../src/hooks/event.ts";
import { createMailer, type MailMessage, type MailTransportOptions } from "../../../src/hooks/mail.ts";
import type { MailOptions } from "../../../src/config/hook-options.ts";
import { recordingLog } from "../checks/recording-log.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";
import { eventOf } from "./events.ts";

const OPTIONS: MailOptions = {
  host: "localhost",
  port: 25,
  security: "starttls",
  verify: true,
  ca: null,
  credentials: { user: "vipd", password: "s3cret" },
  from: "vipd@alpha.test",
  to: ["ops@example.test", "night@example.test"],
  timeoutMs: 300,
  deadlineMs: 900,
};

/** A mailer whose transport does with each message what it is told. */
function mailer(send: (message: MailMessage) => Promise<unknown>, more: Partial<MailOptions> = {}) {
  const { log, lines } = recordingLog();
  const timers = new VirtualTimers();
  const made: MailTransportOptions[] = [];
  let open = 0;
  const createTransport = (options: MailTransportOptions) => {
    made.push(options);
    open += 1;
    return { sendMail: send, close: () => void (open -= 1) };
  };
  const mail = createMailer({ ...OPTIONS, ...more }, { timers, log, createTransport });
  /** Posts an event, and lets time pass until it is delivered or given up; the answer is how long that took, in milliseconds. */
  const deliver = async (event: HookEvent): Promise<number> => {
    const began = timers.now();
    let tookMs = Number.NaN;
    mail.post(event);
    const stopping = mail.stop(60_000).then(() => (tookMs = timers.now() - began));
    for (let step = 0; step < 500 && Number.isNaN(tookMs); step += 1) await timers.advance(10);
    await stopping;
    expect(timers.waiting, "timers that are left").toBe(0);
    return tookMs;
  };
  return { deliver, lines, made, open: () => open };
}

function refusal(responseCode: number): Error {
  return Object.assign(new Error(`reply ${responseCode}\r\nforged log line`), { responseCode });
}

test("an event is one message, to all, that machines do not answer", async () => {
  const messages: MailMessage[] = [];
  const { deliver, made, open } = mailer((message) => Promise.resolve(messages.push(message)));
  const reason = { code: "check-failed", text: "check nginx:\r\nBcc: everybody@example.test" };
  await deliver(eventOf("web", "FAULT", { previous: "MASTER", reason }));
  expect(messages[0]).toMatchObject({
    from: "vipd@alpha.test",
    to: ["ops@example.test", "night@example.test"],
    subject: "[vipd] web: FAULT on alpha (check nginx: Bcc: everybody@example.test)",
    headers: { "Auto-Submitted": "auto-generated" },
  });
  expect(messages[0]?.text).toContain("state:     FAULT (before: MASTER)\n");
  expect(messages[0]?.text).toContain("addresses: 10.0.0.50/24 2001:db8::50/64\n");
  expect(made).toEqual([
    {
      host: "127.0.0.1",
      port: 25,
      secure: false,
      requireTLS: true,
      ignoreTLS: false,
      auth: { user: "vipd", pass: "s3cret" },
      tls: { servername: "localhost", rejectUnauthorized: true },
      connectionTimeout: 300,
      greetingTimeout: 300,
      socketTimeout: 300,
    },
  ]);
  expect(open()).toBe(0);
});

test.each([
  { security: "tls", expected: { secure: true, requireTLS: false, ignoreTLS: false } },
  { security: "none", expected: { secure: false, requireTLS: false, ignoreTLS: true } },
] as const)("security $security is what the transport is told", async ({ security, expected }) => {
  const { deliver, made } = mailer(() => Promise.resolve(), { security, credentials: null, verify: false, ca: "PEM" });
  await deliver(eventOf("web", "MASTER"));
  expect(made[0]).toMatchObject({ ...expected, tls: { rejectUnauthorized: false, ca: "PEM" } });
  expect(made[0]).not.toHaveProperty("auth");
});

test.each([
  { name: "a refusal for good (5xx)", error: refusal(550), tries: 1 },
  { name: "a refusal for now (4xx)", error: refusal(450), tries: 2 },
  { name: "a broken connection", error: new Error("read ECONNRESET"), tries: 2 },
])("$name is tried as often as makes sense: $tries", async ({ error, tries }) => {
  const { deliver, made, lines, open } = mailer(() => Promise.reject(error));
  await deliver(eventOf("web", "MASTER"));
  expect(made).toHaveLength(tries);
  expect(open()).toBe(0);
  expect(lines.at(-1)?.message).toMatch(/^mail server localhost is not told of web MASTER: /u);
  expect(lines.at(-1)?.message).not.toContain("\n");
  expect(JSON.stringify(lines)).not.toContain("s3cret");
});

test("a server that hangs ends with the signal that the transport is given", async () => {
  const { deliver, lines } = mailer(
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      }),
  );
  expect(await deliver(eventOf("web", "MASTER"))).toBeLessThan(3_000);
  expect(lines.at(-1)?.message).toMatch(/not done within 300 ms/u);
});

test("a client that does not even end then is left behind", async () => {
  const { deliver, lines } = mailer(() => new Promise(() => {}), { deadlineMs: 0 });
  expect(await deliver(eventOf("web", "MASTER"))).toBeLessThan(4_000);
  expect(lines.at(-1)?.message).toMatch(/not done within 300 ms/u);
});

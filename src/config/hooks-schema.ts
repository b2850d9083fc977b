// Who is told of transitions: what may stand below `hooks:`, `webhook:` and `mail:` of the configuration file.

import { z } from "zod";
import { wrongUrl } from "./checks-schema.ts";
import { command, commandUser } from "./command-leaf.ts";
import { absolutePath, duration, oneOf, text, type Wrong, wholeNumber, yesNo } from "./leaf.ts";
import { parseIp } from "../wire/ip.ts";

const HOUR_MS = 3_600_000;

/** Commands for the transitions of an election. */
export const hooks = z.strictObject({
  onMaster: command("Run when this node has become the holder (keepalived: notify_master)").optional(),
  onBackup: command("Run when this node has become a candidate (keepalived: notify_backup)").optional(),
  onFault: command("Run when this node cannot hold it (keepalived: notify_fault)").optional(),
  onStop: command("Run when vipd stops, after the VIP is gone (keepalived: notify_stop)").optional(),
  onConflict: command("Run when somebody else answers for the VIP").optional(),
  notify: command("Run at all of these (keepalived: notify)").optional(),
  arguments: oneOf("keepalived: INSTANCE, name, state and priority come behind the arguments", [
    "vipd",
    "keepalived",
  ]).prefault("vipd"),
  timeout: duration("A command is stopped after this time", { minMs: 100, maxMs: HOUR_MS }).prefault("30s"),
  grace: duration("From SIGTERM to SIGKILL", { minMs: 0, maxMs: 60_000 }).prefault("1s"),
  user: commandUser.optional(),
});

/** Commands of the file. */
export type FileHooks = z.infer<typeof hooks>;

const delivery = {
  timeout: duration("Limit of one try", { minMs: 100, maxMs: HOUR_MS }).prefault("10s"),
  deadline: duration("From the event on it is tried for so long", { minMs: 0, maxMs: HOUR_MS }).prefault("5m"),
  verify: yesNo("Whether the server's certificate must be valid").prefault(true),
  caFile: absolutePath("CAs (PEM) to trust instead of the system's", "/etc/ssl/ca.pem").optional(),
};

/** A web server that gets each transition. */
export const webhook = z.strictObject({
  url: text(
    { description: "Gets a POST of JSON for each transition" },
    "a URL such as https://example.org/hook",
    wrongUrl,
  ),
  secretFile: absolutePath("Holds the key that signs the body (HMAC-SHA256)", "/etc/vipd/webhook.key").optional(),
  headers: z
    .record(z.string(), text({ description: "Value of the header" }, "a text, in quotes"))
    .meta({ description: "Headers that are added" })
    .optional(),
  ...delivery,
});

function wrongMailHost(value: string): Wrong | undefined {
  if (parseIp(value) !== undefined || /^[^\s:/@[\]]+$/u.test(value)) return undefined;
  const [, host = "", port] = /^(?:\w+:\/\/)?([^\s:/@]+)(?::(\d+))?\/?$/u.exec(value) ?? [];
  const fix = host === "" ? "use one such as mail.example.org" : `write host: ${host}`;
  return { problem: "is more than a host", fix: port === undefined ? fix : `${fix}, and port: ${port} beside it` };
}

const mailAddress = (description: string): z.ZodType<string, unknown> =>
  text({ description }, "a mail address such as admin@example.org", (value) =>
    /^[^\s@<>,]+@[^\s@<>,]+$/u.test(value)
      ? undefined
      : { problem: "is no mail address", fix: "use one such as admin@example.org" },
  );

/** A mail server that gets each transition. */
export const mail = z.strictObject({
  host: text({ description: "The SMTP server" }, "the name or address of an SMTP server", wrongMailHost),
  port: wholeNumber("Its port", 1, 65_535).prefault(25),
  security: oneOf("tls: from the first byte; starttls: required; none: never encrypted", [
    "tls",
    "starttls",
    "none",
  ]).prefault("starttls"),
  user: text({ description: "Login name; default: without authentication" }, "a login name").optional(),
  passwordFile: absolutePath("Holds the password of the login", "/etc/vipd/mail.password").optional(),
  from: mailAddress("Sender"),
  to: z.array(mailAddress("Receiver")).meta({ description: "Receivers", minItems: 1 }),
  ...delivery,
});

/** The webhook of the file. */
export type FileWebhook = z.infer<typeof webhook>;

/** The mail of the file. */
export type FileMail = z.infer<typeof mail>;

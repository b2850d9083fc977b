// Whom to tell of the events of an election, with every default filled in.

import type { CommandOptions } from "../base/command.ts";

/** The events of one name; "notify" is all of them. */
export type HookTrigger = "onMaster" | "onBackup" | "onFault" | "onStop" | "onConflict" | "notify";

/** A command. Hooks of one event run in the order of the configuration. */
export interface HookOptions extends CommandOptions {
  readonly on: HookTrigger;
  /** It is stopped after this long, with all that it has started; in milliseconds. */
  readonly timeoutMs: number;
  /**
   * "keepalived": INSTANCE, the election, the state and the priority come behind the arguments, and a "notify" hook is not
   * told of CONFLICT, a state that keepalived's scripts do not know.
   */
  readonly arguments: "vipd" | "keepalived";
}

/** How deliveries are tried again. */
export interface DeliveryOptions {
  /** The limit of one try, in milliseconds. */
  readonly timeoutMs: number;
  /** From the event on it is tried for so long, and at least once; in milliseconds. */
  readonly deadlineMs: number;
}

/** A web server that gets each event as a POST of JSON. */
export interface WebhookOptions extends DeliveryOptions {
  readonly url: string;
  /** Signs the body: `X-Vipd-Signature: sha256=` and the HMAC-SHA256 in hex; `null`: no signature. */
  readonly secret: string | null;
  /** Added to the request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether the server's certificate must be valid. */
  readonly verify: boolean;
  /** PEM text of the CAs to trust instead of the system's; `null`: the system's. */
  readonly ca: string | null;
}

/** A mail server that gets each event as a message. */
export interface MailOptions extends DeliveryOptions {
  readonly host: string;
  readonly port: number;
  /** "tls": from the first byte; "starttls": required after the greeting; "none": never encrypted. */
  readonly security: "tls" | "starttls" | "none";
  /** Whether the server's certificate must be valid. */
  readonly verify: boolean;
  /** PEM text of the CAs to trust instead of the system's; `null`: the system's. */
  readonly ca: string | null;
  /** `null`: without authentication. */
  readonly credentials: { readonly user: string; readonly password: string } | null;
  readonly from: string;
  readonly to: readonly string[];
}

// What checks look at, kind by kind, and how they are judged, with every default filled in.

import type { CommandOptions } from "../base/command.ts";
import type { CheckPolicy } from "../health/check.ts";

/** Runs a program: exit status 0 is ok. It is stopped when it prints more than 4 MiB. */
export interface ScriptCheckOptions extends CommandOptions {
  readonly kind: "script";
}

/** Statuses from `from` to `to`, both included. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** Asks a web server. Redirects are not followed: their status is the answer. */
export interface HttpCheckOptions {
  readonly kind: "http";
  /** `http:` or `https:`; a user and password in it are sent as basic authentication. */
  readonly url: string;
  readonly method: string;
  /** Added to the request; a `Host` among them replaces the URL's. */
  readonly headers: Readonly<Record<string, string>>;
  /** The address or name to connect to; `null`: the URL's host. */
  readonly connectTo: string | null;
  /** The name in the TLS handshake (SNI), for which the certificate must be; `null`: the URL's host. */
  readonly serverName: string | null;
  /** Whether the certificate must be valid. */
  readonly verify: boolean;
  /** File with the CAs (PEM) to trust instead of the system's; `null`: the system's. Read anew at each run. */
  readonly caFile: string | null;
  /** The statuses that are ok. */
  readonly statuses: readonly StatusRange[];
  /** Text that must stand in the body; `null`: none. */
  readonly contains: string | null;
  /** Regular expression (JavaScript, flags `su`) that the body must match; `null`: none. */
  readonly matches: string | null;
  /** How much of the body is read to look for them, in bytes. */
  readonly maxBodyBytes: number;
}

/** Connects to a TCP port. */
export interface TcpCheckOptions {
  readonly kind: "tcp";
  readonly host: string;
  readonly port: number;
  /** Sent when connected; `null`: nothing. */
  readonly send: string | null;
  /** Text that must come back, within 64 KiB; `null`: the connection is enough. */
  readonly expect: string | null;
}

/** Looks for processes of this host. At least one of `name` and `pidfile` is given; with both, the pidfile's must have the name. */
export interface ProcessCheckOptions {
  readonly kind: "process";
  /** The name in /proc/PID/comm, or the last part of its first argument's path. */
  readonly name: string | null;
  /** Absolute path of a file that holds a process id. */
  readonly pidfile: string | null;
  /** How many there must be. */
  readonly least: number;
}

/** Looks at a file. */
export interface FileCheckOptions {
  readonly kind: "file";
  /** Absolute path. The last part must not be a symbolic link, and must be a regular file. */
  readonly path: string;
  /**
   * "present" and "absent" say what is ok; "number" reads a whole number of -254 to 254 (keepalived's track_file), and takes a
   * file that is not there for 0.
   */
  readonly wants: "present" | "absent" | "number";
}

/** Asks the wire, by ARP or neighbour discovery, whether somebody has an address. */
export interface GatewayCheckOptions {
  readonly kind: "gateway";
  /** IPv4 or IPv6, in canonical text. */
  readonly address: string;
  readonly interface: string;
  /** How long an answer is waited for, in milliseconds; shorter than the check's timeout. */
  readonly waitMs: number;
}

/** Looks whether an interface is there, up, and has carrier. */
export interface InterfaceCheckOptions {
  readonly kind: "interface";
  readonly interface: string;
  /** A change counts when it has lasted this long, in milliseconds. */
  readonly debounceMs: number;
}

/** Any check. */
export type CheckOptions =
  | ScriptCheckOptions
  | HttpCheckOptions
  | TcpCheckOptions
  | ProcessCheckOptions
  | FileCheckOptions
  | GatewayCheckOptions
  | InterfaceCheckOptions;

/** The command that is tried before a check counts as failed. */
export interface RecoverOptions extends CommandOptions {
  /** Names what it restarts: checks of one service share a recovery that is under way, and never run two at once. */
  readonly service: string;
}

/** One check of the configuration. `recover` is there exactly when `policy.recover` is. */
export interface CheckPlan {
  readonly name: string;
  readonly policy: CheckPolicy;
  readonly options: CheckOptions;
  readonly recover: RecoverOptions | null;
}

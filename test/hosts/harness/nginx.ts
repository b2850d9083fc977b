// A real nginx on a host: its files, and what befalls it.

import { readlinkSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Station } from "./lan.ts";

const PROGRAM = "/usr/sbin/nginx";

/** An nginx that says who it is at /. */
export class Nginx {
  readonly host: Station;
  /** The command that starts it. */
  readonly command: readonly string[];
  private readonly configFile: string;
  private readonly directory: string;

  constructor(host: Station, parent: string) {
    this.host = host;
    this.directory = join(parent, `nginx-${host.name}`);
    this.configFile = join(this.directory, "nginx.conf");
    this.command = [PROGRAM, "-p", this.directory, "-c", this.configFile];
    mkdirSync(this.directory);
    this.repair();
  }

  start(): void {
    this.host.namespace.exec(PROGRAM, ...this.command.slice(1));
  }

  /** From now on it cannot start. What runs, runs on. */
  breakConfig(): void {
    writeFileSync(this.configFile, "no such directive;\n");
  }

  repair(): void {
    writeFileSync(this.configFile, this.config());
  }

  /** Ends it and its workers at once. */
  kill(): void {
    for (const pid of this.pids()) process.kill(pid, "SIGKILL");
  }

  /** Its processes, the workers too. */
  pids(): readonly number[] {
    const all = this.host.namespace.exec("ip", "netns", "pids", this.host.namespace.name);
    return all
      .split("\n")
      .filter((pid) => pid !== "" && programOf(pid) === PROGRAM)
      .map(Number);
  }

  private config(): string {
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path ${join(this.directory, name)};`,
    );
    return [
      `user root; worker_processes 1; pid ${join(this.directory, "pid")}; error_log ${join(this.directory, "log")};`,
      "events { worker_connections 64; }",
      `http { access_log off; ${temporary.join(" ")}`,
      `server { listen 80; location / { return 200 ${this.host.name}; } } }`,
      "",
    ].join("\n");
  }

  /** What it has logged. */
  log(): string {
    return readFileSync(join(this.directory, "log"), "utf8");
  }
}

function programOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    // It has ended meanwhile.
    return "";
  }
}

// What the demo shows: a strip of time that says who answered, a letter for each 50 ms.

import process from "node:process";
import type { Recorder } from "../hosts/harness/recorder.ts";

const CELL_MS = 50;
const COLOURS = [32, 36, 35] as const;

/** Writes the demo's lines; on a terminal with colours and a strip that grows while time passes. */
export class Screen {
  private readonly recorder: Recorder;
  private readonly hosts: readonly string[];
  private readonly ip: string;
  private readonly isLive = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(recorder: Recorder, hosts: readonly string[], ip: string) {
    this.recorder = recorder;
    this.hosts = hosts;
    this.ip = ip;
  }

  line(text = ""): void {
    process.stdout.write(`${text}\n`);
  }

  bold(text: string): string {
    return this.isLive ? `\u001b[1m${text}\u001b[22m` : text;
  }

  good(text: string): string {
    return this.isLive ? `\u001b[32m${text}\u001b[39m` : text;
  }

  bad(text: string): string {
    return this.isLive ? `\u001b[31m${text}\u001b[39m` : text;
  }

  /** A host's name in its colour. */
  host(name: string): string {
    return this.isLive ? `\u001b[${COLOURS[this.hosts.indexOf(name)] ?? 39}m${name}\u001b[39m` : name;
  }

  /** Shows the strip from `from` on while it grows. */
  follow(from: number, now: () => number): void {
    if (this.isLive) this.timer = setInterval(() => process.stdout.write(`\r     ${this.strip(from, now())}`), CELL_MS);
  }

  /** Ends the strip, in its final form. */
  settle(from: number, to: number): void {
    clearInterval(this.timer);
    process.stdout.write(`${this.isLive ? "\r" : ""}     ${this.strip(from, to)}\n`);
  }

  /** For each 50 ms: the first letter of who answered, `.` for nobody, `!` for more than one in no order. */
  private strip(from: number, to: number): string {
    const cells = Math.min(100, Math.ceil((to - from) / CELL_MS));
    return Array.from({ length: cells }, (_, i) => this.cell(from + i * CELL_MS)).join("");
  }

  private cell(start: number): string {
    const seen = this.recorder.runs(this.ip, start, start + CELL_MS).map((run) => run.host);
    const [first, second] = seen;
    if (first === undefined) return ".";
    if (seen.length > 2) return this.bad("!");
    const name = second ?? first;
    return this.isLive ? this.host(name).replace(name, name.charAt(0)) : name.charAt(0);
  }
}

// Logs what a hook prints: line by line, each bounded in length, all bounded in rate. What is over the rate is counted and
// not looked at, so that a hook that prints gigabytes costs no more than reading them.

import { elapsedMs, type Instant } from "../base/time.ts";
import type { Clock } from "../ports/clock.ts";
import type { StreamName } from "../ports/programs.ts";
import { printable } from "../process/output.ts";

const NEWLINE = 10;

/** The longest line that is logged, in bytes. */
const MAX_LINE_BYTES = 1_024;

/** So many lines may come at once, and then so many a second. */
const BURST_LINES = 50;
const LINES_PER_SECOND = 10;

/** What the log needs. */
export interface OutputLogDeps {
  readonly clock: Clock;
  /** Takes one line. */
  readonly write: (stream: StreamName, line: string) => void;
}

/** The rest of a line that is not whole yet. */
interface Partial {
  readonly bytes: Buffer;
  /** Whether the beginning has been logged, or was over the rate: the rest of the line goes. */
  readonly isSkipped: boolean;
}

const NOTHING: Partial = { bytes: Buffer.alloc(0), isSkipped: false };

/** The output of one hook. */
export class OutputLog {
  private readonly deps: OutputLogDeps;
  private readonly partial: Record<StreamName, Partial> = { stdout: NOTHING, stderr: NOTHING };
  private lines = BURST_LINES;
  private filledAt: Instant;
  private skipped = 0;

  constructor(deps: OutputLogDeps) {
    this.deps = deps;
    this.filledAt = deps.clock.now();
  }

  /** Bytes that were not logged because too much came at once. */
  get skippedBytes(): number {
    return this.skipped;
  }

  /** Takes in what one stream brought. */
  push(stream: StreamName, chunk: Buffer): void {
    this.refill();
    let at = 0;
    while (at < chunk.length) {
      if (this.lines < 1) {
        this.skipped += chunk.length - at;
        this.partial[stream] = { bytes: NOTHING.bytes, isSkipped: chunk.at(-1) !== NEWLINE };
        return;
      }
      const end = chunk.indexOf(NEWLINE, at);
      this.piece(stream, chunk.subarray(at, end < 0 ? chunk.length : end), end >= 0);
      at = end < 0 ? chunk.length : end + 1;
    }
  }

  /** Logs what came without a line end. */
  end(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const { bytes, isSkipped } = this.partial[stream];
      if (!isSkipped && bytes.length > 0) this.write(stream, bytes);
    }
  }

  private piece(stream: StreamName, piece: Buffer, isEnd: boolean): void {
    const { bytes, isSkipped } = this.partial[stream];
    if (isSkipped) {
      if (isEnd) this.partial[stream] = NOTHING;
      return;
    }
    const line = Buffer.concat([bytes, piece.subarray(0, MAX_LINE_BYTES)]);
    const isLong = line.length >= MAX_LINE_BYTES;
    if (isEnd || isLong) this.write(stream, line);
    this.partial[stream] = isEnd ? NOTHING : { bytes: isLong ? NOTHING.bytes : line, isSkipped: isLong };
  }

  private write(stream: StreamName, line: Buffer): void {
    const text = printable(line.toString("utf8"), MAX_LINE_BYTES);
    if (text === "") return;
    this.lines -= 1;
    this.deps.write(stream, text);
  }

  private refill(): void {
    const now = this.deps.clock.now();
    const earned = (elapsedMs(this.filledAt, now) / 1_000) * LINES_PER_SECOND;
    this.lines = Math.min(BURST_LINES, this.lines + earned);
    this.filledAt = now;
  }
}

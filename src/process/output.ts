// The end of what a command prints, in bounded memory however much it is.

import type { StreamName } from "../ports/programs.ts";

/** Bytes of each stream that are kept. */
const TAIL_BYTES = 4096;

/** The longest line that is shown, in characters. */
const MAX_LINE_LENGTH = 256;

/** Keeps the last bytes of both streams. */
export class OutputTail {
  private readonly tails: Record<StreamName, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  private latest: StreamName = "stdout";
  private total = 0;

  /** Bytes that were taken in. */
  get bytes(): number {
    return this.total;
  }

  /** Takes in what one stream brought. */
  push(stream: StreamName, chunk: Buffer): void {
    this.total += chunk.length;
    this.latest = stream;
    const kept = chunk.length >= TAIL_BYTES ? chunk : Buffer.concat([this.tails[stream], chunk]);
    // A copy: a view would keep the whole chunk alive.
    this.tails[stream] = Buffer.from(kept.subarray(-TAIL_BYTES));
  }

  /** The last line that is not empty, of the stream that spoke last, or else of the other one. */
  lastLine(): string {
    const other = this.latest === "stdout" ? "stderr" : "stdout";
    return lastLineOf(this.tails[this.latest]) || lastLineOf(this.tails[other]);
  }
}

function lastLineOf(bytes: Buffer): string {
  const lines = bytes.toString("utf8").split(/[\r\n]+/u);
  return printable(lines.findLast((line) => line.trim() !== "") ?? "", MAX_LINE_LENGTH);
}

/** The text without control characters (a terminal would obey them), and at most this long. */
export function printable(text: string, maxLength: number): string {
  const plain = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return plain.length > maxLength ? `${plain.slice(0, maxLength - 1)}…` : plain;
}

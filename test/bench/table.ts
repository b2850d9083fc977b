// Numbers for people: medians, worst cases, and how they stand to their bar or peer.

/** One line of the result. */
export interface Row {
  readonly what: string;
  readonly value: string;
  /** The bar or the peer, in words. */
  readonly against: string;
  /** Whether the bar is met; `null`: there is none. */
  readonly met: boolean | null;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}

/** The value below which that share (0 to 1) of all lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** `median 10 ms, worst 14 ms, n = 20`. */
export function spread(values: readonly number[]): string {
  return `median ${median(values).toFixed(1)} ms, worst ${Math.max(...values).toFixed(1)} ms, n = ${values.length}`;
}

export function print(rows: readonly Row[]): void {
  const width = Math.max(...rows.map((row) => row.what.length));
  for (const { what, value, against, met } of rows) {
    const verdict = met === null ? "" : met ? "met" : "MISSED";
    process.stdout.write(`${what.padEnd(width)}  ${value.padEnd(44)}  ${against}  ${verdict}\n`);
  }
}

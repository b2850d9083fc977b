// Durations as people write them: a number and its unit, such as `500ms`, `3s`, `1.5s`, `1m`, `2h`.

/** What a duration looks like, as a regular expression for the JSON Schema. */
export const DURATION_PATTERN = String.raw`^\d+(\.\d+)?(ms|s|m|h)$`;

/** The same in words, for error messages. */
export const DURATION_RULE = "a number with its unit (ms, s, m or h), such as 500ms, 3s or 1m";

const DURATION = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h)$/u;

const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Reads a duration in milliseconds; `undefined` when it is none. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  const unit = MS_PER_UNIT[match?.[2] ?? ""];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

/** Writes a duration in its largest unit that keeps it whole: 90000 is `90s`, 60000 is `1m`, 1500 is `1500ms`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  for (const unit of ["h", "m", "s"]) {
    const count = ms / (MS_PER_UNIT[unit] ?? 1);
    if (Number.isInteger(count)) return `${count}${unit}`;
  }
  return `${ms}ms`;
}

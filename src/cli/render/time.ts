// Times for people.

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A span of time in its two largest units: `0.4s`, `13s`, `2m 13s`, `3h 5m`, `4d 2h`. Negative counts as 0. */
export function formatSpan(ms: number): string {
  if (ms < 9_950) return `${Math.max(0, Math.round(ms / 100) / 10)}s`;
  const whole = Math.round(ms / SECOND_MS) * SECOND_MS;
  if (whole < MINUTE_MS) return `${whole / SECOND_MS}s`;
  if (whole < HOUR_MS) return two(whole, MINUTE_MS, "m", SECOND_MS, "s");
  if (whole < DAY_MS) return two(whole, HOUR_MS, "h", MINUTE_MS, "m");
  return two(whole, DAY_MS, "d", HOUR_MS, "h");
}

/** A moment as UTC to the second: `2026-11-21 10:09:08Z`; `?` for what is no moment. */
export function formatMoment(wallMs: number): string {
  const date = new Date(wallMs);
  if (Number.isNaN(date.getTime())) return "?";
  return `${date.toISOString().slice(0, 19).replace("T", " ")}Z`;
}

function two(ms: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)}${largeName}${rest === 0 ? "" : ` ${rest}${smallName}`}`;
}

// What vipctl doctor finds: one line each, with the fix where something is to be fixed.

/** What a finding is about. */
export type Subject = "config" | "daemon" | "store" | "kernel" | "network" | "check";

/** How grave it is: a failure keeps a VIP from being held safely, or at all. */
export type Level = "ok" | "warning" | "failure";

/** One line of the doctor. */
export interface Finding {
  readonly about: Subject;
  readonly level: Level;
  readonly text: string;
  /** What to do about it; `null` when nothing is to be done. */
  readonly fix: string | null;
}

/** Something that is as it should be. */
export function fine(about: Subject, text: string): Finding {
  return { about, level: "ok", text, fix: null };
}

/** Something that will do, but could be better. */
export function warning(about: Subject, text: string, fix: string): Finding {
  return { about, level: "warning", text, fix };
}

/** Something that is wrong. */
export function failure(about: Subject, text: string, fix: string): Finding {
  return { about, level: "failure", text, fix };
}

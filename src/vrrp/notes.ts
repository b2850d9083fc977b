// Notes for people that anyone on the wire can cause: each kind is told at once when it is new, and then counted, and the count
// is told once a minute. So a flood costs a line a minute and a kind.

import { earliest, type Instant, later, NEVER } from "../base/time.ts";

/** How often a kind of note is told, in milliseconds. */
const TELL_EVERY_MS = 60_000;

/** Something that people should know; a warning asks for their help. */
export interface Note {
  readonly type: "note";
  readonly level: "info" | "warning";
  /** The kind, for machines: a reason of vrrp-fault.ts or judge.ts, or of the machine itself. */
  readonly code: string;
  readonly text: string;
  /** How often it has happened since it was last told, this time included. */
  readonly count: number;
}

interface Tally {
  readonly toldAt: Instant;
  readonly untold: number;
  /** The latest one that was not told. */
  readonly latest: Omit<Note, "count">;
}

/** What was told, and what is counted, by code; there are as many as there are codes. */
export type Notes = ReadonlyMap<string, Tally>;

/** Nothing to tell. */
export const NO_NOTES: Notes = new Map();

/** Takes a note down. */
export function noted(notes: Notes, latest: Omit<Note, "count">, at: Instant): readonly [Notes, readonly Note[]] {
  const tally = notes.get(latest.code);
  if (tally !== undefined && at < dueAt(tally))
    return [new Map([...notes, [latest.code, { ...tally, untold: tally.untold + 1, latest }]]), []];
  const count = (tally?.untold ?? 0) + 1;
  return [new Map([...notes, [latest.code, { toldAt: at, untold: 0, latest }]]), [{ ...latest, count }]];
}

/** Tells what has been counted long enough, and forgets what was not heard again. */
export function tellNotes(notes: Notes, at: Instant): readonly [Notes, readonly Note[]] {
  const due = [...notes].filter(([, tally]) => at >= dueAt(tally));
  if (due.length === 0) return [notes, []];
  const next = new Map(notes);
  const told: Note[] = [];
  for (const [code, { untold, latest }] of due) {
    if (untold === 0) next.delete(code);
    else {
      told.push({ ...latest, count: untold });
      next.set(code, { toldAt: at, untold: 0, latest });
    }
  }
  return [next, told];
}

/** When there is something to tell. */
export function nextNoteAt(notes: Notes): Instant {
  return earliest(...[...notes.values()].map((tally) => (tally.untold === 0 ? NEVER : dueAt(tally))));
}

function dueAt({ toldAt }: Tally): Instant {
  return later(toldAt, TELL_EVERY_MS);
}

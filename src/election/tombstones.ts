// Records that are known to be deleted. They are remembered only until nothing older can come any more, or short-lived
// members would fill the memory of everybody else, and pass for candidates that are too many.

import type { Revision } from "../ports/store.ts";
import type { RecordKey } from "./keys.ts";

/** The deleted records of one fleet. */
export class Tombstones {
  private readonly places = new Map<string, { readonly place: RecordKey; readonly version: Revision }>();
  /** How many there are of a kind; of candidates, in each election. */
  private readonly counts = new Map<string, number>();

  /** Notes what became of a record. */
  note(key: string, place: RecordKey, version: Revision, isDeleted: boolean): void {
    if (!isDeleted) return this.drop(key);
    if (!this.places.has(key)) this.count(place, 1);
    this.places.set(key, { place, version });
  }

  /** The record is not remembered any more, or there is one again. */
  drop(key: string): void {
    const found = this.places.get(key);
    if (found === undefined) return;
    this.places.delete(key);
    this.count(found.place, -1);
  }

  /** How many records of the same kind, and of the same election, are remembered as deleted. */
  beside(place: RecordKey): number {
    return this.counts.get(groupOf(place)) ?? 0;
  }

  /** Those that were deleted at a revision or before. */
  until(revision: Revision): readonly RecordKey[] {
    return [...this.places.values()].flatMap(({ place, version }) => (version <= revision ? [place] : []));
  }

  clear(): void {
    this.places.clear();
    this.counts.clear();
  }

  private count(place: RecordKey, by: number): void {
    const group = groupOf(place);
    const count = (this.counts.get(group) ?? 0) + by;
    if (count === 0) this.counts.delete(group);
    else this.counts.set(group, count);
  }
}

function groupOf(place: RecordKey): string {
  return place.kind === "candidate" ? `candidate ${place.election}` : place.kind;
}

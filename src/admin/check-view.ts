// A check of a node, as status shows it.

import { z } from "zod";

/** One check. */
export interface CheckView {
  readonly name: string;
  /** `pending`: it has not looked yet. */
  readonly verdict: "pending" | "ok" | "failed";
  /** For how long it has been so. */
  readonly sinceMs: number;
  /** Why. */
  readonly reason: string;
  /** What it found last; `null`: nothing yet. */
  readonly last: {
    readonly reason: string;
    readonly lastLine: string;
    readonly agoMs: number;
    readonly tookMs: number;
  } | null;
  /** The number that it read, where it reads one. */
  readonly value: number | null;
  /** Which try of its recovery is under way; `null`: none. */
  readonly recovery: number | null;
  /** The VIPs of this node that it bears on. */
  readonly vips: readonly string[];
}

const words = z.string().max(16_384);

/** A check that came over the socket. */
export const checkViewSchema: z.ZodType<CheckView> = z.object({
  name: words,
  verdict: z.enum(["pending", "ok", "failed"]),
  sinceMs: z.number(),
  reason: words,
  last: z.object({ reason: words, lastLine: words, agoMs: z.number(), tookMs: z.number() }).nullable(),
  value: z.number().nullable(),
  recovery: z.number().nullable(),
  vips: z.array(words),
});

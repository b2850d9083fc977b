// A real server of a host, as status shows it.

import * as z from "zod";
import type { RealServerState } from "../ports/real-server.ts";

/** One real server. */
export type RealServerView = RealServerState;

const words = z.string().max(16_384);

/** A real server that came over the socket. */
export const realServerViewSchema: z.ZodType<RealServerView> = z.object({
  name: words,
  addresses: z.array(z.object({ family: z.union([z.literal(4), z.literal(6)]), ip: words })),
  interfaces: z.array(words),
  by: z.enum(["file", "hand"]),
  state: z.enum(["up", "down"]),
  trouble: words.nullable(),
});

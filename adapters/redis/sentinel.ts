// A Sentinel, asked for the master that it watches.

import * as z from "zod";
import { VipdError } from "../../src/base/errors.ts";
import type { Told } from "./masters.ts";
import { askOnce } from "./short-client.ts";
import type { Address, RedisOptions } from "./url.ts";

const answerSchema = z.tuple([z.string().min(1), z.string().regex(/^\d{1,5}$/u)]).nullable();

/** Reads what a Sentinel says of a master. Throws "store-corrupt" when it has another form. */
export function parseMaster(answer: unknown): Told {
  const { success, data } = answerSchema.safeParse(answer);
  if (!success) throw new VipdError("store-corrupt", "Redis: Sentinel answered in an unknown form");
  return { master: data === null ? undefined : { host: data[0], port: Number(data[1]) }, others: [] };
}

/** Asks a Sentinel for the master of that name. */
export function askSentinel(
  sentinel: Address,
  { name, password }: { readonly name: string; readonly password: string | null },
  tls: RedisOptions["tls"],
): Promise<Told> {
  return askOnce(sentinel, { tls, username: null, password }, async (redis) =>
    parseMaster(await redis.call("SENTINEL", "get-master-addr-by-name", name)),
  );
}

// A node of a Redis Cluster, asked for the master of the one slot in which all of vipd's data lie.

import * as z from "zod";
import { VipdError } from "../../src/base/errors.ts";
import type { Told } from "./masters.ts";
import { KEYS } from "./scripts.ts";
import { askOnce } from "./short-client.ts";
import type { Address, RedisOptions } from "./url.ts";

const nodeSchema = z.tuple([z.string().nullable(), z.number().int().min(1).max(65_535)]).rest(z.unknown());
const slotsSchema = z.array(z.tuple([z.number(), z.number()]).rest(nodeSchema));

/** Reads the answer to CLUSTER SLOTS that `asked` has given. Throws "store-corrupt" when it has another form. */
export function parseSlots(answer: unknown, slot: number, asked: Address): Told {
  const { success, data } = slotsSchema.safeParse(answer);
  if (!success) throw new VipdError("store-corrupt", "Redis: CLUSTER SLOTS was answered in an unknown form");
  // A node that does not know its own address leaves it out: then it is where it was asked.
  const address = ([host, port]: z.infer<typeof nodeSchema>): Address => ({
    host: host === null || host === "" ? asked.host : host,
    port,
  });
  const owner = data.find(([first, last]) => first <= slot && slot <= last)?.[2];
  const others = data.flatMap(([, , ...members]) => members.map(address));
  return { master: owner === undefined ? undefined : address(owner), others };
}

/** Asks a node. */
export function askNode(node: Address, { tls, username, password }: RedisOptions): Promise<Told> {
  return askOnce(node, { tls, username, password }, async (redis) =>
    parseSlots(await redis.cluster("SLOTS"), await redis.cluster("KEYSLOT", KEYS[0]), node),
  );
}

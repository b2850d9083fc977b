// Where in a Redis Cluster vipd's data lie: all of it on the one master that has its slot. Whenever the connection is made
// anew, the cluster is asked anew. So there is one server at a time behind a connection, as everywhere else, and a
// failover shows as the other life of another server.

import { AbstractConnector, Redis } from "ioredis";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { z } from "zod";
import { VipdError } from "../../src/base/errors.ts";
import { KEYS } from "./scripts.ts";
import type { Address, RedisOptions } from "./url.ts";

/** A node of the cluster that has not answered by then is passed over, in milliseconds. */
const ASK_MS = 500;

/** So many nodes are remembered, besides those of the URL. */
const MAX_NODES = 100;

/** A round through all nodes that found no master is followed by the next one after this long, in milliseconds. */
const ROUND_MS = 200;

const nodeSchema = z.tuple([z.string().nullable(), z.number().int().min(1).max(65_535)]).rest(z.unknown());
const slotsSchema = z.array(z.tuple([z.number(), z.number()]).rest(nodeSchema));

/** What a node of the cluster tells: who has vipd's slot, and who else there is. */
export interface Told {
  readonly master: Address | undefined;
  readonly nodes: readonly Address[];
}

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
  const nodes = data.flatMap(([, , ...members]) => members.map(address));
  return { master: owner === undefined ? undefined : address(owner), nodes };
}

/** A connector for ioredis that leads to the master of vipd's slot. */
export function clusterConnector(seeds: readonly Address[], options: RedisOptions): new () => AbstractConnector {
  let known = seeds;
  return class extends AbstractConnector {
    constructor() {
      super(ASK_MS);
    }

    async connect(tell: (type: string, error: Error) => void): Promise<Socket> {
      this.connecting = true;
      for (;;) {
        const { master, nodes, trouble } = await firstToTell(known, options);
        known = remember(seeds, nodes);
        if (!this.connecting) throw new Error("the connection is not wanted any more");
        if (master !== undefined) return this.open(master);
        tell("error", new Error(trouble ?? "no node of the Redis Cluster has vipd's slot"));
        await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
      }
    }

    private open(master: Address): Socket {
      const { tls } = options;
      const stream = tls === null ? connectPlain({ ...master }) : connectTls({ ...master, ...tls });
      stream.once("error", (error: Error) => {
        this.firstError = error;
      });
      this.stream = stream;
      return stream;
    }
  };
}

/** The seeds first, so that a cluster that has moved away altogether is found by them. */
function remember(seeds: readonly Address[], nodes: readonly Address[]): readonly Address[] {
  const all = new Map([...seeds, ...nodes].map((node) => [`${node.host} ${node.port}`, node]));
  return [...all.values()].slice(0, seeds.length + MAX_NODES);
}

/** Asks one node after the other until one names a master. */
async function firstToTell(
  nodes: readonly Address[],
  options: RedisOptions,
): Promise<Told & { readonly trouble: string | undefined }> {
  let trouble: string | undefined;
  const seen: Address[] = [];
  for (const node of nodes) {
    try {
      const told = await ask(node, options);
      seen.push(...told.nodes);
      if (told.master !== undefined) return { ...told, trouble: undefined };
    } catch (error) {
      trouble = `${node.host}:${node.port}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return { master: undefined, nodes: seen, trouble };
}

async function ask(node: Address, { tls, username, password }: RedisOptions): Promise<Told> {
  const redis = new Redis({
    ...node,
    ...(tls !== null && { tls }),
    ...(username !== null && { username }),
    ...(password !== null && { password }),
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    connectTimeout: ASK_MS,
    commandTimeout: ASK_MS,
    retryStrategy: null,
  });
  // The calls below fail with the connection, and tell why.
  redis.on("error", () => {});
  try {
    const slot = await redis.cluster("KEYSLOT", KEYS[0]);
    return parseSlots(await redis.cluster("SLOTS"), slot, node);
  } finally {
    redis.disconnect();
  }
}

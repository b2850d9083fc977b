// Redis as a store: light to load, so that a URL can be checked without its client.

import type { StoreAdapter } from "../../src/ports/store-adapter.ts";
import { secretFilesOf, systemSecrets } from "../common/secrets.ts";
import { MIN_TTL_MS } from "./limits.ts";
import { parseRedisUrl, REDIS_SCHEMES } from "./url.ts";

/** One Redis, a master with its Sentinels, or a Cluster. */
export const redisAdapter: StoreAdapter = {
  name: "Redis",
  schemes: REDIS_SCHEMES,
  example: "redis://10.0.0.5:6379",
  minTtlMs: MIN_TTL_MS,
  check: (url) => void parseRedisUrl(url, systemSecrets),
  secretFiles: secretFilesOf,
  localFile: () => null,
  open: async (url, { readOnly }) => {
    const options = parseRedisUrl(url, systemSecrets);
    return (await import("./index.ts")).openRedisStore(options, { readOnly });
  },
};

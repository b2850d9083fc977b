// etcd as a store: light to load, so that a URL can be checked without its client.

import type { StoreAdapter } from "../../src/ports/store-adapter.ts";
import { secretFilesOf, systemSecrets } from "../common/secrets.ts";
import { MIN_TTL_MS } from "./limits.ts";
import { parseEtcdUrl } from "./url.ts";

/** A cluster of etcd, or one. */
export const etcdAdapter: StoreAdapter = {
  name: "etcd",
  schemes: ["etcd", "etcds"],
  example: "etcd://10.0.0.5:2379,10.0.0.6:2379,10.0.0.7:2379",
  minTtlMs: MIN_TTL_MS,
  check: (url) => void parseEtcdUrl(url, systemSecrets),
  secretFiles: secretFilesOf,
  localFile: () => null,
  open: async (url, { readOnly }) => {
    const options = parseEtcdUrl(url, systemSecrets);
    return (await import("./index.ts")).openEtcdStore(options, { readOnly });
  },
};

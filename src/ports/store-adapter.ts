// How a coordination store plugs in. An adapter states what it needs and promises itself; nobody else repeats it.

import type { Store } from "./store.ts";

/** How to open a store. */
export interface OpenOptions {
  /** Nothing is created or written, and there must be something to read. */
  readonly readOnly: boolean;
  /** Nothing is created: who repairs a store means one that is there. */
  readonly mustExist: boolean;
}

/** A kind of store. Loading it costs little: the client library is loaded when a store is opened. */
export interface StoreAdapter {
  /** For people: `sqlite`, `etcd`. */
  readonly name: string;
  /** The schemes of its URLs, in lower case and without the colon. */
  readonly schemes: readonly string[];
  /** A URL such as people write, for error messages. */
  readonly example: string;
  /** Shortest lease that makes sense on it, in milliseconds. */
  readonly minTtlMs: number;
  /** Throws "store-url" for everything that `open` would not take: options, values, hosts, ports, files that it names. */
  check(url: string): void;
  /** The files that the URL names and that hold secrets. */
  secretFiles(url: string): readonly string[];
  /** The file of this host that is the store; `null`: it is elsewhere. */
  localFile(url: string): string | null;
  /** Throws "store-url", "store-unavailable" and "store-corrupt". A daemon may start before its store does. */
  open(url: string, options: OpenOptions): Promise<Store>;
}

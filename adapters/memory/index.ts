// The store in memory: for tests, simulation, and programs that elect within one process.

import type { Store } from "../../src/ports/store.ts";
import { MemoryBackend } from "./backend.ts";
import { MemoryStore } from "./store.ts";

export { MemoryBackend } from "./backend.ts";
export { faultyStore, NO_FAULTS, type Faults } from "./faulty.ts";

/** Opens a Store on the backend's data; with no backend given, on new data that nobody else sees. */
export function openMemoryStore(backend: MemoryBackend = new MemoryBackend()): Store {
  return new MemoryStore(backend);
}

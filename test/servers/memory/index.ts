// A store in memory, for tests: what it does is decided at once, and in the test's own turn.

import type { Store } from "../../../src/ports/store.ts";
import { MemoryBackend } from "./backend.ts";
import { MemoryStore } from "./store.ts";

export { MemoryBackend } from "./backend.ts";
export { faultyStore, NO_FAULTS, type Faults } from "./faulty.ts";

/** Opens a Store on the backend's data; with no backend given, on new data that nobody else sees. */
export function openMemoryStore(backend: MemoryBackend = new MemoryBackend()): Store {
  return new MemoryStore(backend);
}

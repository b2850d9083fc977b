// vipd as a library: leader election inside applications.

export { type ErrorCode, isVipdError, VipdError } from "./base/errors.ts";
export type { Work } from "./library/campaign.ts";
export { type FleetMember, joinFleet } from "./library/fleet.ts";
export type { Leadership } from "./library/leadership.ts";
export type { Observation } from "./library/observation.ts";
export type { FleetOptions, LeadOptions } from "./library/options.ts";
export { openStore } from "./stores/index.ts";
export type { OpenOptions } from "./ports/store-adapter.ts";
export type {
  CallLimits,
  Change,
  CommitResult,
  Guard,
  Revision,
  Snapshot,
  Store,
  StoredRecord,
  StoreGuarantees,
  Txn,
  WatchEvent,
  Write,
} from "./ports/store.ts";

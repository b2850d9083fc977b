// What a VIP holder works with, and whom it tells.

import type { Reason } from "../base/reasons.ts";
import type { Timers } from "../ports/clock.ts";
import type { AddressTable, Fence, PacketLink } from "../ports/host.ts";
import type { Logger } from "../ports/logger.ts";
import type { RoutingTable } from "../ports/routing.ts";
import type { VipLoss } from "../vip/state.ts";

/** What the daemon is told, when the host is at rest. */
export interface VipListener {
  /** They answer now. */
  held(vips: readonly string[]): void;
  /** They have let go of addresses that are not theirs any more, some time after the configuration said so. */
  shrunk(vips: readonly string[]): void;
  /** They surely do not answer any more. */
  released(losses: readonly VipLoss[]): void;
  /** The host cannot hold it for now; a "released" follows or came before. */
  holdFailed(vip: string, reason: Reason): void;
  /** Another station answers for it, or does not any more (`null`). */
  conflict(vip: string, others: string | null): void;
}

/** The parts of the host, and whom to tell. */
export interface VipDeps {
  readonly timers: Timers;
  readonly addresses: AddressTable;
  readonly fence: Fence;
  readonly packets: PacketLink;
  /** Absent where routes cannot be set. */
  readonly routing?: RoutingTable | undefined;
  readonly log: Logger;
  /** A number for the first deadline of the fence that no former process had: 32 bits. */
  readonly firstDeadline: number;
  readonly listener: VipListener;
}

// What hooks, webhooks and mails are told of an election.

/** keepalived's states, and CONFLICT: somebody else answers for the VIP. */
export type HookState = "MASTER" | "BACKUP" | "FAULT" | "STOP" | "CONFLICT";

/** Something that happened to an election on this node. */
export interface HookEvent {
  readonly election: string;
  readonly state: HookState;
  /** The state before; `null`: none since the daemon began. Of a CONFLICT: the state that goes on. */
  readonly previous: HookState | null;
  /** The fencing token, in decimal; empty when the node has none. */
  readonly token: string;
  /** The addresses with their prefix lengths. */
  readonly addresses: readonly string[];
  readonly reason: {
    /** For programs; never renamed. */
    readonly code: string;
    /** For people. */
    readonly text: string;
  };
  readonly node: string;
  /** The effective priority on this node. */
  readonly priority: number;
  /** Milliseconds since 1970, for people. */
  readonly wallMs: number;
}

/** The longest value that an event puts into an environment, in characters. */
const MAX_VALUE_LENGTH = 4_096;

/** The environment of a hook. */
export function environmentOf(event: HookEvent): Readonly<Record<string, string>> {
  const values = {
    VIPD_ELECTION: event.election,
    VIPD_STATE: event.state,
    VIPD_PREVIOUS: event.previous ?? "",
    VIPD_TOKEN: event.token,
    VIPD_ADDRESSES: event.addresses.join(" "),
    VIPD_REASON: event.reason.code,
    VIPD_REASON_TEXT: event.reason.text,
    VIPD_NODE: event.node,
    VIPD_PRIORITY: String(event.priority),
  };
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, value.replaceAll("\0", " ").slice(0, MAX_VALUE_LENGTH)]),
  );
}

/** The arguments that keepalived gives a `notify` script, behind those of the configuration. */
export function keepalivedArguments({ election, state, priority }: HookEvent): readonly string[] {
  return ["INSTANCE", election, state, String(priority)];
}

/** The JSON body of a webhook. */
export function jsonOf(event: HookEvent): string {
  const { election, state, previous, token, addresses, reason, node, priority, wallMs } = event;
  const time = new Date(wallMs).toISOString();
  return JSON.stringify({
    election,
    state,
    previous,
    token,
    addresses,
    reason: reason.code,
    reasonText: reason.text,
    node,
    priority,
    time,
  });
}

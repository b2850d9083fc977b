// Who wants to be woken, and when: the tables of all machines of this node, for people who debug.

import { elapsedMs, type Instant, NEVER } from "../base/time.ts";
import type { StatusView } from "../admin/views.ts";
import { deadlines } from "../election/machine.ts";
import type { State } from "../election/state.ts";
import type { VipState } from "../vip/state.ts";
import { vrrpTimers } from "../vrrp/machine.ts";
import type { VrrpState } from "../vrrp/state.ts";

/** So many are shown. */
const MAX_WAKEUPS = 50;

/** The machines of a node. */
export interface Machines {
  /** `null`: there is no store. */
  readonly election: State | null;
  readonly holdings: VipState;
  /** By VIP; `null`: it takes no part. */
  readonly routers: Iterable<readonly [vip: string, state: VrrpState | null]>;
}

/** The wake-ups of all machines, soonest first. */
export function wakeupViews({ election, holdings, routers }: Machines, now: Instant): StatusView["wakeups"] {
  const all = [
    ...(election === null ? [] : deadlines(election, now, MAX_WAKEUPS)),
    ...holdings.wakeups.list(MAX_WAKEUPS),
    ...[...routers].flatMap(([vip, state]) => (state === null ? [] : routerDeadlines(vip, state))),
  ];
  return all
    .sort((a, b) => a.at - b.at)
    .slice(0, MAX_WAKEUPS)
    .map(({ name, at }) => ({ name, inMs: elapsedMs(now, at) }));
}

function routerDeadlines(vip: string, state: VrrpState): readonly { readonly name: string; readonly at: Instant }[] {
  return Object.entries(vrrpTimers(state)).flatMap(([timer, at]) =>
    at === NEVER ? [] : [{ name: `${timer} ${vip}`, at }],
  );
}

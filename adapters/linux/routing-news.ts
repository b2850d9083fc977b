// News of vipd's routes and rules that are gone. A socket of its own, with a filter: a host may change thousands of other
// routes in a second.

import type { HostEvent, HostMonitor } from "../../src/ports/host.ts";
import type { RoutingRemoved } from "../../src/ports/routing.ts";
import { decodeMessages } from "../../src/wire/netlink.ts";
import { RTMGRP_IPV4_ROUTE, RTMGRP_IPV4_RULE, RTMGRP_IPV6_ROUTE, RTMGRP_IPV6_RULE } from "../../src/wire/rtnetlink.ts";
import { RTM_DELROUTE } from "../../src/wire/rtnetlink-routes.ts";
import { RTM_DELRULE } from "../../src/wire/rtnetlink-rules.ts";
import { netlinkNewsFilter } from "./bpf.ts";
import { ENOBUFS, errnoOf } from "./errors.ts";
import { attachFilter, closeFd, receive, watchReadable } from "./native.ts";
import { NETLINK_ROUTE, openNetlink } from "./netlink.ts";
import { removedKey, ROUTING_PROTOCOL } from "./routing.ts";

const GROUPS = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE | RTMGRP_IPV6_RULE;

const BUFFER_BYTES = 64 * 1024;

/**
 * Tells `onEvent` of each route and rule of vipd's that goes, from now on. The kernel says nothing of IPv4 routes that go
 * with their interface.
 */
export function followRouting(onEvent: (event: HostEvent | RoutingRemoved) => void): HostMonitor {
  const buffer = new Uint8Array(BUFFER_BYTES);
  const fd = openNetlink(NETLINK_ROUTE, GROUPS);
  let open = true;
  const next = (): Uint8Array | undefined => {
    for (;;) {
      if (!open) return undefined;
      try {
        return receive(fd, buffer)?.data.slice();
      } catch (error) {
        if (errnoOf(error) !== ENOBUFS) throw error;
        onEvent({ kind: "overrun" });
      }
    }
  };
  const drain = (): void => {
    for (let datagram = next(); datagram !== undefined; datagram = next())
      for (const message of decodeMessages(datagram)) {
        const key = removedKey(message);
        if (key !== undefined && open) onEvent({ kind: "routing-removed", key });
      }
  };
  attachFilter(fd, netlinkNewsFilter({ byProtocol: RTM_DELROUTE, protocol: ROUTING_PROTOCOL, all: RTM_DELRULE }));
  const watch = watchReadable(fd, drain);
  return {
    close: () => {
      if (!open) return;
      open = false;
      watch.close();
      closeFd(fd);
    },
  };
}

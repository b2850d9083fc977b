// Links by rtnetlink, for all that need them.

import { VipdError } from "../../src/base/errors.ts";
import type { Link } from "../../src/ports/host.ts";
import { decodeLink, encodeLinkQuery, RTM_GETLINK, RTM_NEWLINK } from "../../src/wire/rtnetlink.ts";
import type { LinkRecord } from "../../src/wire/rtnetlink.ts";
import { ENODEV } from "./errors.ts";
import type { NetlinkSocket } from "./netlink.ts";

/** All links of the host. */
export function dumpLinks(socket: NetlinkSocket): readonly LinkRecord[] {
  const messages = socket.dump("list links", { type: RTM_GETLINK, flags: 0, payload: encodeLinkQuery() });
  return messages.flatMap((message) => {
    const link = message.type === RTM_NEWLINK ? decodeLink(message.payload) : undefined;
    return link === undefined ? [] : [link];
  });
}

/** The link of this name, as it is now; undefined when there is none. */
export function findLink(socket: NetlinkSocket, name: string): LinkRecord | undefined {
  const message = socket.get("get link", { type: RTM_GETLINK, flags: 0, payload: encodeLinkQuery(name) }, ENODEV);
  return message === undefined ? undefined : decodeLink(message.payload);
}

/** The link of this name; throws "interface" when there is none. */
export function needLink(socket: NetlinkSocket, name: string): LinkRecord {
  const link = findLink(socket, name);
  if (link === undefined) throw new VipdError("interface", `there is no interface ${name}`, { interface: name });
  return link;
}

/** What the port shows of a link. */
export function toLink({ index, name, up, ethernet, loopback, mac, slaveKind }: LinkRecord): Link {
  return { index, name, up, ethernet, loopback, mac, port: slaveKind ?? "" };
}

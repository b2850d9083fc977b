// The kernel as a real server uses it: addresses of lo, ARP settings of interfaces, and the silence.

import type {
  ArpSetting,
  ArpSettingsOfLink,
  HostAddress,
  PlacedAddress,
  RealServerKernel,
  ServeFailure,
} from "../../../src/ports/real-server.ts";
import { formatIp, ipBytes } from "../../../src/wire/ip.ts";
import { NLM_F_CREATE, NLM_F_EXCL } from "../../../src/wire/netlink.ts";
import {
  decodeArpSettings,
  decodeLink,
  encodeArpSetting,
  encodeDeleteAddress,
  encodeLinkQuery,
  encodeServedAddress,
  RTM_DELADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_SETLINK,
  SINGLE_PREFIX,
} from "../../../src/wire/rtnetlink.ts";
import { KernelAddresses, SERVED_MARK, whyNotAdded } from "../addresses.ts";
import { EADDRNOTAVAIL, EEXIST, ENODEV, kernelError } from "../errors.ts";
import { fenceTables, GUARDED } from "../fence/layout.ts";
import { Nftables } from "../fence/nftables.ts";
import { needLink } from "../links.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "../netlink.ts";
import { putSilence, readSilence } from "./silence.ts";

const LOOPBACK = "lo";

/** Opens the kernel of the network namespace that the thread is in. `fenceTable`: the name of the daemon's tables. */
export function openRealServerKernel(fenceTable = "vipd"): RealServerKernel {
  const closers: (() => void)[] = [];
  const close = (): void => {
    for (const each of closers.splice(0)) each();
  };
  try {
    const route = new NetlinkSocket(NETLINK_ROUTE, "rtnetlink");
    closers.push(() => route.close());
    const table = new KernelAddresses();
    closers.push(() => table.close());
    const nft = new Nftables();
    closers.push(() => nft.close());
    return new Kernel(route, table, nft, fenceTable, close);
  } catch (error) {
    close();
    throw error;
  }
}

class Kernel implements RealServerKernel {
  readonly close: () => void;
  readonly #route: NetlinkSocket;
  readonly #table: KernelAddresses;
  readonly #nft: Nftables;
  readonly #fenceTable: string;

  constructor(route: NetlinkSocket, table: KernelAddresses, nft: Nftables, fenceTable: string, close: () => void) {
    this.#route = route;
    this.#table = table;
    this.#nft = nft;
    this.#fenceTable = fenceTable;
    this.close = close;
  }

  silence(addresses: readonly HostAddress[]): void {
    putSilence(this.#nft, addresses);
  }

  silenced(): readonly string[] {
    return readSilence(this.#nft);
  }

  arpSettings(which: string | number): ArpSettingsOfLink | undefined {
    const query = { type: RTM_GETLINK, flags: 0, payload: encodeLinkQuery(which) };
    const message = this.#route.get("get link", query, ENODEV);
    if (message === undefined) return undefined;
    const [link, values] = [decodeLink(message.payload), decodeArpSettings(message.payload)];
    return link === undefined || values === undefined ? undefined : { index: link.index, name: link.name, values };
  }

  setArp(index: number, setting: ArpSetting, value: number): void {
    const payload = encodeArpSetting(index, setting, value);
    this.#route.request("set ARP setting", { type: RTM_SETLINK, flags: 0, payload });
  }

  addresses(): readonly PlacedAddress[] {
    return this.#table.addresses().map(({ family, ip, interface: name, served }) => ({
      family,
      ip,
      interface: name,
      served: served === true,
    }));
  }

  serve(addresses: readonly HostAddress[]): readonly ServeFailure[] {
    const { index } = needLink(this.#route, LOOPBACK);
    return addresses.flatMap(({ family, ip }) => {
      const payload = encodeServedAddress({ bytes: ipBytes(ip), index, mark: SERVED_MARK });
      const errno = this.#route.attempt({ type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_EXCL, payload });
      if (errno === 0 || errno === EEXIST) return [];
      return [{ ip, message: `${ip}: ${whyNotAdded({ family, interface: LOOPBACK }, errno)}` }];
    });
  }

  withdraw(addresses: readonly HostAddress[]): void {
    const { index } = needLink(this.#route, LOOPBACK);
    const wanted = new Set(addresses.map(({ ip }) => ip));
    for (const { family, ip, interface: name, served } of this.addresses()) {
      if (!served || name !== LOOPBACK || !wanted.has(ip)) continue;
      const payload = encodeDeleteAddress(ipBytes(ip), SINGLE_PREFIX[family], index);
      const errno = this.#route.attempt({ type: RTM_DELADDR, flags: 0, payload });
      if (errno !== 0 && errno !== EADDRNOTAVAIL) throw kernelError("rtnetlink delete address of lo", errno);
    }
  }

  guarded(): readonly string[] {
    const [everywhere] = fenceTables("inet", this.#fenceTable);
    if (this.#nft.table(everywhere.name) === undefined) return [];
    const names = new Set(this.#nft.sets(everywhere.name).map(({ name }) => name));
    return everywhere.families
      .filter((family) => names.has(GUARDED[family]))
      .flatMap((family) => this.#nft.elements(everywhere.name, GUARDED[family]).map(({ key }) => formatIp(key)));
  }
}

// A kernel for real servers in memory. It refuses what must never be: an address of a real server on lo without the silence
// around it. And what is kept, without a file.

import type {
  ArpSetting,
  ArpSettingsOfLink,
  HostAddress,
  PlacedAddress,
  RealServerKernel,
  RealServers,
  ServeFailure,
} from "../../../src/ports/real-server.ts";
import { type RecordKeeper, realServers } from "../../../src/realserver/keeper.ts";
import { NOTHING, type KeptNamespace } from "../../../src/realserver/record.ts";

export class FakeKernel implements RealServerKernel {
  /** What was done, in order. */
  readonly calls: string[] = [];
  readonly links = new Map<string, { index: number; values: Record<ArpSetting, number> }>([
    ["eth0", { index: 2, values: { arpIgnore: 0, arpAnnounce: 0 } }],
  ]);
  placed: PlacedAddress[] = [];
  silent: readonly string[] = [];
  guards: readonly string[] = [];
  /** Addresses that lo refuses. */
  readonly refused = new Set<string>();
  closed = 0;
  private kept: KeptNamespace = NOTHING;
  private downByHand: readonly string[] = [];

  /** The real servers of this kernel, for one change. */
  open(): RealServers {
    const keeper: RecordKeeper = {
      current: this.kept,
      down: this.downByHand,
      keep: (current, down) => {
        Object.assign(keeper, { current, down });
        this.kept = current;
        this.downByHand = down;
        this.calls.push(`keep ${current.servers.map(({ name }) => name).join(" ")}`.trim());
      },
    };
    return realServers({ kernel: this, keeper, close: () => this.close() });
  }

  silence(addresses: readonly HostAddress[]): void {
    this.silent = addresses.map(({ ip }) => ip);
    this.calls.push(`silence ${this.silent.join(" ")}`.trim());
    this.check();
  }

  silenced(): readonly string[] {
    return this.silent;
  }

  arpSettings(link: string | number): ArpSettingsOfLink | undefined {
    const found = [...this.links].find(([name, { index }]) => name === link || index === link);
    return found === undefined ? undefined : { name: found[0], ...found[1] };
  }

  setArp(index: number, setting: ArpSetting, value: number): void {
    for (const link of this.links.values()) if (link.index === index) link.values[setting] = value;
    this.calls.push(`${setting} ${value}`);
  }

  addresses(): readonly PlacedAddress[] {
    return this.placed;
  }

  serve(addresses: readonly HostAddress[]): readonly ServeFailure[] {
    const fresh = addresses.filter(
      ({ ip }) => !this.refused.has(ip) && !this.placed.some((other) => other.ip === ip && other.interface === "lo"),
    );
    this.placed = [...this.placed, ...fresh.map((address) => ({ ...address, interface: "lo", served: true }))];
    if (fresh.length > 0) this.calls.push(`serve ${fresh.map(({ ip }) => ip).join(" ")}`);
    this.check();
    return addresses.flatMap(({ ip }) => (this.refused.has(ip) ? [{ ip, message: `${ip}: lo refuses it` }] : []));
  }

  withdraw(addresses: readonly HostAddress[]): void {
    const gone = this.placed.filter(({ ip, served }) => served && addresses.some((other) => other.ip === ip));
    this.placed = this.placed.filter((each) => !gone.includes(each));
    if (gone.length > 0) this.calls.push(`withdraw ${gone.map(({ ip }) => ip).join(" ")}`);
  }

  guarded(): readonly string[] {
    return this.guards;
  }

  close(): void {
    this.closed += 1;
  }

  /** The calls since the last time. */
  news(): readonly string[] {
    return this.calls.splice(0);
  }

  private check(): void {
    for (const { ip, served } of this.placed)
      if (served && !this.silent.includes(ip)) throw new Error(`${ip} is on lo and not silent`);
  }
}

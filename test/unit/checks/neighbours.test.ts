// The checks that see through the host's ports: gateway and interface, against fakes of these ports.

import { describe, expect, test } from "vitest";
import { gatewayPerformer } from "../../../src/checks/gateway.ts";
import { InterfacePerformer } from "../../../src/checks/interface.ts";
import { VipdError } from "../../../src/base/errors.ts";
import { instant } from "../../../src/base/time.ts";
import type { VipAddress } from "../../../src/base/vip.ts";
import type { Answer, Link, PacketLink } from "../../../src/ports/host.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";

const never = new AbortController().signal;

describe("a gateway", () => {
  function packets(probe: () => Promise<readonly Answer[]>, seen: VipAddress[] = []): PacketLink {
    return {
      announce: () => true,
      probe: (address) => {
        seen.push(address);
        return probe();
      },
      close: () => {},
    };
  }

  const OPTIONS = { kind: "gateway", address: "10.0.0.1", interface: "eth0", waitMs: 100 } as const;

  test("that answers is ok, and its hardware address is told", async () => {
    const seen: VipAddress[] = [];
    const link = packets(() => Promise.resolve([{ mac: "02:00:00:00:00:01", at: instant(0) }]), seen);
    const result = await gatewayPerformer(OPTIONS, { packets: link }).run(never);
    expect(result).toMatchObject({ outcome: "ok", reason: "10.0.0.1 is 02:00:00:00:00:01" });
    await gatewayPerformer({ ...OPTIONS, address: "fe80::1" }, { packets: link }).run(never);
    expect(seen).toEqual([
      { family: 4, ip: "10.0.0.1", prefix: 32, interface: "eth0" },
      { family: 6, ip: "fe80::1", prefix: 128, interface: "eth0" },
    ]);
  });

  test.each([
    { name: "silent", probe: () => Promise.resolve([]), outcome: "failed", why: /does not answer on eth0/u },
    {
      name: "behind a link that is down",
      probe: () => Promise.reject(new VipdError("interface", "eth0 sends nothing: it is down")),
      outcome: "failed",
      why: /it is down/u,
    },
    {
      name: "asked without the right to",
      probe: () => Promise.reject(new VipdError("privilege", "CAP_NET_RAW is missing")),
      outcome: "could-not-run",
      why: /CAP_NET_RAW/u,
    },
  ] as const)("that is $name: $outcome", async ({ probe, outcome, why }) => {
    const result = await gatewayPerformer(OPTIONS, { packets: packets(probe) }).run(never);
    expect(result).toMatchObject({ outcome, reason: expect.stringMatching(why) });
  });
});

describe("an interface", () => {
  const UP: Link = {
    index: 2,
    name: "eth0",
    up: true,
    ethernet: true,
    loopback: false,
    mac: "02:00:00:00:00:02",
    port: "",
  };

  /** An interface whose news a test makes. */
  class World {
    readonly timers = new VirtualTimers();
    private links: readonly Link[] = [UP];
    private listener: () => void = () => {};
    readonly check: InterfacePerformer;
    news = 0;
    readonly unwatch: () => void;

    constructor(debounceMs: number) {
      const linkNews = {
        links: () => this.links,
        follow: (listener: () => void) => {
          this.listener = listener;
          return () => {
            this.listener = () => {};
          };
        },
      };
      const options = { kind: "interface", interface: "eth0", debounceMs } as const;
      this.check = new InterfacePerformer(options, { timers: this.timers, linkNews });
      this.unwatch = this.check.watch(() => {
        this.news += 1;
      });
    }

    set(...links: readonly Link[]): void {
      this.links = links;
      this.listener();
    }

    async says(): Promise<string> {
      const { outcome, reason } = await this.check.run();
      return `${outcome}: ${reason}`;
    }
  }

  test("is up, down, or missing, and each change is news", async () => {
    const world = new World(0);
    expect(await world.says()).toBe("ok: eth0 is up");
    world.set({ ...UP, up: false });
    expect(await world.says()).toBe("failed: eth0 is down");
    world.set();
    expect(await world.says()).toBe("failed: eth0 is missing");
    world.set({ ...UP, name: "eth1" });
    world.set(UP);
    expect(await world.says()).toBe("ok: eth0 is up");
    expect(world.news).toBe(3);
  });

  test("that flaps within the time has not been down", async () => {
    const world = new World(500);
    for (let flap = 0; flap < 5; flap += 1) {
      world.set({ ...UP, up: false });
      await world.timers.advance(400);
      expect(await world.says()).toBe("ok: eth0 is up");
      world.set(UP);
      await world.timers.advance(50);
    }
    expect(world.news).toBe(0);
  });

  test("that stays down is that after the time, and the news come by themselves", async () => {
    const world = new World(500);
    world.set({ ...UP, up: false });
    await world.timers.advance(499);
    expect(world.news).toBe(0);
    await world.timers.advance(1);
    expect(world.news).toBe(1);
    expect(await world.says()).toBe("failed: eth0 is down");
    world.set(UP);
    expect(await world.says()).toBe("failed: eth0 is down");
    await world.timers.advance(500);
    expect(await world.says()).toBe("ok: eth0 is up");
  });

  test("leaves no timer behind when nobody follows it any more", () => {
    const world = new World(500);
    world.set({ ...UP, up: false });
    expect(world.timers.waiting).toBe(1);
    world.unwatch();
    expect(world.timers.waiting).toBe(0);
  });
});

// Lease and VRRP together: a VIP is held while both say so, and each is told that the host has let go.

import { beforeEach, describe, expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import { later } from "../../../src/base/time.ts";
import { MixedElector } from "../../../src/node/mixed-elector.ts";
import { leaseHost, vrrpHost } from "../../../src/node/mixed-hosts.ts";
import type { ElectorHost, ElectorKind, Grant } from "../../../src/ports/elector.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";
import { FakeElector } from "./fake-elector.ts";

class Bench {
  readonly timers = new VirtualTimers();
  readonly told: string[] = [];
  readonly woken: string[] = [];
  /** Whether the host lets go when it is told to. */
  obeys = true;
  readonly mixed: MixedElector;
  readonly lease: FakeElector;
  readonly vrrp: FakeElector;
  readonly leased: ElectorHost;
  readonly advertised: ElectorHost;

  constructor() {
    const { told } = this;
    const host: ElectorHost = {
      gain: (grants, { deadline, until }) =>
        void told.push(
          `gain ${grants.map(({ election, token }) => `${election} ${token}`).join()} ${deadline} ${this.forMs(until)}`,
        ),
      extend: (validities) =>
        void told.push(...validities.map(({ deadline, until }) => `extend ${deadline} ${this.forMs(until)}`)),
      lose: (losses) => {
        told.push(
          `lose ${losses.map(({ election, token, reason: why }) => `${election} ${token} ${why.code}`).join()}`,
        );
        if (this.obeys) this.mixed.released(losses.map(({ election }) => election));
      },
      adopted: () => {},
      confirm: (confirmed) => {
        for (const { election, addresses } of confirmed) told.push(`confirm ${election} ${addresses.join()}`);
      },
      announce: () => {},
      contested: () => {},
      note: () => {},
      changed: () => {},
      stopped: () => void told.push("stopped"),
    };
    const kindOf = (election: string): ElectorKind => (election === "web" ? "lease+vrrp" : "lease");
    this.mixed = new MixedElector(host);
    this.leased = leaseHost(host, this.mixed, kindOf);
    this.advertised = vrrpHost(host, this.mixed, kindOf);
    this.lease = new FakeElector(this.leased, this.timers);
    this.vrrp = new FakeElector(this.advertised, this.timers);
    this.mixed.join({ lease: this.lease, vrrp: this.vrrp, wake: (election) => void this.woken.push(election) });
  }

  holdLease(election = "web", ms = 3_000): void {
    this.leased.gain([grant(election, 7n)], { deadline: 0, until: later(this.timers.now(), ms) });
  }

  advert(ms = 2_000): void {
    this.advertised.gain([grant("web", 1n)], { deadline: 4, until: later(this.timers.now(), ms) });
  }

  private forMs(until: number): number {
    return until - this.timers.now();
  }
}

function grant(election: string, token: bigint): Grant {
  return { election, token, previousToken: null, vacantMs: null, reason: reason("vacant"), addresses: ["10.0.0.50"] };
}

let bench: Bench;
beforeEach(() => {
  bench = new Bench();
});

test("holds when both say so, under the lease's token, until the first of both ends", () => {
  bench.holdLease();
  expect(bench.told).toEqual([]);
  expect(bench.mixed.mayClaim("web")).toBe(true);
  expect(bench.woken).toEqual(["web"]);
  bench.advert();
  expect(bench.told).toEqual(["gain web 7 4 2000"]);
  expect(bench.mixed.tokenOf("web")).toBe(7n);
});

test("without the lease it may not claim", () => {
  expect(bench.mixed.mayClaim("web")).toBe(false);
});

test("is extended by the one that ends first", () => {
  bench.holdLease();
  bench.advert();
  bench.told.length = 0;
  bench.advertised.extend([{ deadline: 4, until: later(bench.timers.now(), 5_000) }]);
  bench.leased.extend([{ deadline: 0, until: later(bench.timers.now(), 4_000) }]);
  expect(bench.told).toEqual(["extend 4 3000", "extend 0 4000", "extend 4 4000"]);
});

test("a lease that is lost ends it at once, and the farewell follows", () => {
  bench.holdLease();
  bench.advert();
  bench.told.length = 0;
  bench.leased.lose([{ election: "web", token: 7n, reason: reason("lease-expired") }]);
  expect(bench.told).toEqual(["lose web 7 lease-expired"]);
  expect(bench.lease.calls).toEqual(["released web"]);
  expect(bench.vrrp.calls[0]).toContain("step down web");
  expect(bench.mixed.mayClaim("web")).toBe(false);
});

test("nobody is told before the host has let go", () => {
  bench.holdLease();
  bench.advert();
  bench.obeys = false;
  bench.advertised.lose([{ election: "web", token: 1n, reason: reason("higher-master", "10.0.0.9") }]);
  bench.leased.lose([{ election: "web", token: 7n, reason: reason("lease-expired") }]);
  expect([...bench.lease.calls, ...bench.vrrp.calls].filter((call) => call.startsWith("released"))).toEqual([]);
  bench.mixed.released(["web"]);
  expect(bench.lease.calls).toContain("released web");
  expect(bench.vrrp.calls).toContain("released web");
});

test("a higher master ends it, the lease stays, and when that master is gone it is held again under the same token", () => {
  bench.holdLease();
  bench.advert();
  bench.advertised.lose([{ election: "web", token: 1n, reason: reason("higher-master", "10.0.0.9") }]);
  expect(bench.lease.calls).toEqual([]);
  expect(bench.mixed.tokenOf("web")).toBeUndefined();
  bench.told.length = 0;
  bench.advert();
  expect(bench.told).toEqual(["gain web 7 4 2000"]);
});

test("a host that could not hold it tells both", () => {
  bench.holdLease();
  bench.advert();
  bench.mixed.released(["web"]);
  expect(bench.lease.calls).toEqual(["released web"]);
  expect(bench.vrrp.calls).toEqual(["released web"]);
});

test("a mastership that comes when the lease has gone is given back", () => {
  bench.advert();
  expect(bench.told).toEqual([]);
  expect(bench.vrrp.calls).toEqual(["step down web to anybody: other-holder"]);
});

describe("elections of the lease alone", () => {
  test("go straight to the host", () => {
    bench.holdLease("db");
    bench.leased.lose([{ election: "db", token: 7n, reason: reason("shutdown") }]);
    expect(bench.told).toEqual(["gain db 7 0 3000", "lose db 7 shutdown"]);
  });
});

test("which addresses may be answered for is the lease's word", () => {
  bench.holdLease();
  bench.advert();
  bench.told.length = 0;
  bench.advertised.confirm([{ election: "web", addresses: ["10.0.0.50", "10.0.0.51"] }]);
  bench.leased.confirm([{ election: "web", addresses: ["10.0.0.50"] }]);
  expect(bench.told).toEqual(["confirm web 10.0.0.50"]);
});

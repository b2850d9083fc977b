// Each VIP has the elector that its configuration names, and changes it without two of them at once.

import { expect, test } from "vitest";
import type { Candidacy } from "../../../src/base/candidacy.ts";
import { reason } from "../../../src/base/reasons.ts";
import { ChosenElector } from "../../../src/node/electors.ts";
import type { ElectorHost, ElectorKind } from "../../../src/ports/elector.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";
import { FakeElector } from "./fake-elector.ts";

const WISH: Candidacy = {
  priority: 100,
  ineligible: null,
  preempt: true,
  preemptDelayMs: 0,
  lastResort: false,
  spread: null,
  minHoldMs: 0,
  addresses: ["10.0.0.1/24"],
  macs: [],
  interface: "eth0",
};

class Bench {
  readonly kinds = new Map<string, ElectorKind>([
    ["web", "vrrp"],
    ["db", "lease"],
  ]);
  readonly told: string[] = [];
  readonly chosen: ChosenElector;
  lease: FakeElector | undefined;
  vrrp: FakeElector | undefined;

  constructor({ withStore = true } = {}) {
    const timers = new VirtualTimers();
    const host: ElectorHost = {
      gain: (grants) => void this.told.push(`gain ${grants.map(({ election }) => election).join()}`),
      extend: () => {},
      lose: (losses) => void this.told.push(`lose ${losses.map(({ election }) => election).join()}`),
      adopted: () => {},
      confirm: () => {},
      announce: () => {},
      contested: () => {},
      note: (_level, _election, text) => void this.told.push(text),
      changed: () => {},
      stopped: () => void this.told.push("stopped"),
    };
    const make = (hostFor: (kind: ElectorKind) => ElectorHost): ReadonlyMap<ElectorKind, FakeElector> => {
      this.vrrp = new FakeElector(hostFor("vrrp"), timers);
      this.lease = withStore ? new FakeElector(hostFor("lease"), timers) : undefined;
      return new Map<ElectorKind, FakeElector>([
        ["vrrp", this.vrrp],
        ...(this.lease === undefined ? [] : ([["lease", this.lease]] as const)),
      ]);
    };
    this.chosen = new ChosenElector({ make, kindOf: (name) => this.kinds.get(name) ?? "lease" }, host);
  }

  wish(...names: readonly string[]): this {
    this.chosen.updateCandidacies(new Map(names.map((name) => [name, WISH])));
    return this;
  }
}

test("each elector hears of its own elections, in one word", () => {
  const bench = new Bench().wish("web", "db", "mail");
  expect(bench.vrrp?.calls).toEqual(["candidacies: web eligible"]);
  expect(bench.lease?.calls).toEqual(["candidacies: db eligible, mail eligible"]);
  bench.vrrp?.grant("web");
  expect(bench.chosen.tokenOf("web")).toBe(1n);
  expect(bench.chosen.stepDown("web", null, reason("step-down"))).toBeUndefined();
  bench.chosen.released(["web"]);
  expect(bench.vrrp?.calls.slice(1)).toEqual(["step down web to anybody: step-down", "released web"]);
});

test("an election that changes its elector is let go by the one before the other hears of it", () => {
  const bench = new Bench().wish("web");
  bench.vrrp?.grant("web");
  bench.kinds.set("web", "lease");
  bench.chosen.refresh();
  expect(bench.vrrp?.news().at(-1)).toBe("candidacies: web none");
  expect(bench.lease?.news()).toEqual([]);
  bench.vrrp?.revoke(reason("unconfigured"), "web");
  bench.chosen.released(["web"]);
  expect(bench.vrrp?.news()).toEqual(["released web"]);
  expect(bench.lease?.news()).toEqual(["candidacies: web eligible"]);
});

test("one that is not held changes its elector at once", () => {
  const bench = new Bench().wish("web");
  bench.kinds.set("web", "lease");
  bench.chosen.refresh();
  expect(bench.vrrp?.news().at(-1)).toBe("candidacies: web none");
  expect(bench.lease?.news()).toEqual(["candidacies: web eligible"]);
});

test("an election that no elector of this process can decide is told of", () => {
  const bench = new Bench({ withStore: false }).wish("db");
  expect(bench.told).toEqual(["db is to be elected by lease, for which this process has no store: restart vipd"]);
  expect(bench.chosen.tokenOf("db")).toBeUndefined();
});

test("it has stopped when all have", () => {
  const bench = new Bench().wish("web", "db");
  bench.chosen.stop();
  bench.lease?.host.stopped();
  expect(bench.told).toEqual([]);
  bench.vrrp?.host.stopped();
  expect(bench.told).toEqual(["stopped"]);
});

test("what a former process held, and is not configured any more, is the lease's to release", () => {
  const bench = new Bench().wish("web");
  bench.lease?.undecided.add("gone");
  expect(bench.chosen.isUndecided("gone")).toBe(true);
  bench.lease?.host.lose([{ election: "gone", token: null, reason: reason("unconfigured") }]);
  bench.chosen.released(["gone"]);
  expect(bench.lease?.calls).toEqual(["released gone"]);
  expect(bench.vrrp?.calls).not.toContain("released gone");
});

test("who has said that an election is lost is told of its release, whoever decides about it now", () => {
  const bench = new Bench().wish("web");
  bench.lease?.host.lose([{ election: "web", token: null, reason: reason("other-holder") }]);
  bench.chosen.released(["web"]);
  expect(bench.lease?.calls).toEqual(["released web"]);
  expect(bench.vrrp?.calls).not.toContain("released web");
});

test("what a former process held by one elector is not taken from the other that holds it now", () => {
  const bench = new Bench().wish("web");
  bench.vrrp?.grant("web");
  bench.lease?.host.lose([{ election: "web", token: null, reason: reason("other-holder") }]);
  expect(bench.told).toEqual(["gain web"]);
  expect(bench.lease?.calls).toEqual(["released web"]);
});

test("electors that have an election no longer are told before those that have it now", () => {
  const bench = new Bench().wish("web", "db");
  for (const elector of [bench.lease, bench.vrrp]) elector?.news();
  const order: string[] = [];
  for (const [name, elector] of [["lease", bench.lease] as const, ["vrrp", bench.vrrp] as const])
    if (elector !== undefined) {
      const tell = elector.updateCandidacies.bind(elector);
      elector.updateCandidacies = (changes) => {
        order.push(
          ...[...changes].map(([election, wish]) => `${name} ${election} ${wish === null ? "ends" : "begins"}`),
        );
        tell(changes);
      };
    }
  bench.kinds.set("web", "lease").set("db", "vrrp");
  bench.chosen.refresh();
  expect(order.slice(0, 2).toSorted()).toEqual(["lease db ends", "vrrp web ends"]);
  expect(order.slice(2).toSorted()).toEqual(["lease web begins", "vrrp db begins"]);
});

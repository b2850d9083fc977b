// A thousand VIPs of one node: what taking them, and handing them over, asks of the store is within what it bears.

import { expect, test } from "vitest";
import type { Candidacy } from "../../src/base/candidacy.ts";
import type { Store } from "../../src/ports/store.ts";
import { type HostEffect, Participant } from "../../src/runtime/participant.ts";
import { storeCalls } from "../../src/runtime/store-calls.ts";
import { procClock, systemEntropy, systemTimers } from "../../src/runtime/timers.ts";
import type { Harness } from "./harness.ts";

const COUNT = 1_000;
const TTL_MS = 5_000;

const NOTHING_SPECIAL = {
  preempt: false,
  preemptDelayMs: 0,
  interface: "eth0",
  ineligible: null,
  lastResort: false,
  spread: null,
  minHoldMs: 0,
  macs: [],
};

/** A node without a host. */
class Node {
  readonly held = new Set<string>();
  readonly notes: string[] = [];
  stopped = false;
  private readonly participant: Participant;

  constructor(name: string, store: Store, priority: number) {
    const timers = systemTimers(procClock());
    const processId = systemEntropy.uniqueId();
    const self = { node: name, fleet: "f", host: name, processId, ttlMs: TTL_MS, knownTtlMs: TTL_MS };
    this.participant = new Participant(
      { self, incarnation: systemEntropy.uniqueId(), adopt: false },
      { calls: storeCalls(store, timers), timers, perform: (effect) => this.perform(effect) },
    );
    const changes = new Map<string, Candidacy>();
    for (let i = 0; i < COUNT; i += 1) {
      const addresses = [`10.${i >> 8}.${i & 255}.1/24`, `2001:db8::${i.toString(16)}/64`];
      changes.set(`vip${i}`, { ...NOTHING_SPECIAL, priority, addresses });
    }
    this.participant.start();
    this.participant.post({ type: "candidacies", changes });
  }

  stop(): void {
    this.participant.post({ type: "stop" });
  }

  close(): void {
    this.participant.close();
  }

  private perform(effect: HostEffect): void {
    if (effect.type === "gain") for (const { election } of effect.grants) this.held.add(election);
    if (effect.type === "note" && effect.level === "warning") this.notes.push(effect.text);
    if (effect.type === "stopped") this.stopped = true;
    if (effect.type !== "lose") return;
    const elections = effect.losses.map(({ election }) => election);
    for (const election of elections) this.held.delete(election);
    this.participant.post({ type: "released", elections });
  }
}

/** Describes what a node with many VIPs asks of the store. */
export function describeScale(current: () => Harness): void {
  test(`a node takes ${COUNT} VIPs, and hands all over when it stops`, async () => {
    const a = new Node("a", await current().open(), 200);
    const nodes = [a];
    try {
      await expect.poll(() => a.held.size, { timeout: 40_000 }).toBe(COUNT);
      const b = new Node("b", await current().open(), 100);
      nodes.push(b);
      const candidates = async (): Promise<number> => {
        const { records } = await (await current().open()).read("/vipd/f/live/candidates/", { timeoutMs: 5_000 });
        return records.length;
      };
      await expect.poll(candidates, { timeout: 40_000, interval: 500 }).toBe(2 * COUNT);
      a.stop();
      await expect.poll(() => b.held.size, { timeout: 40_000 }).toBe(COUNT);
      await expect.poll(() => a.stopped, { timeout: 40_000 }).toBe(true);
      expect(
        [...a.notes, ...b.notes].filter((note) => /too (?:large|long|many|much)|exceed|bound/iu.test(note)),
      ).toEqual([]);
    } finally {
      for (const node of nodes) node.close();
    }
  }, 180_000);
}

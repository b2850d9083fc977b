// Asking the wire who else answers: how many VIPs at a time, in which order, and what comes of failures.

import { expect, test } from "vitest";
import type { VipAddress } from "../../../src/base/vip.ts";
import { Prober } from "../../../src/node/prober.ts";
import type { Answer } from "../../../src/ports/host.ts";
import { instant } from "../../../src/base/time.ts";
import { settlePromises } from "../runtime/virtual-timers.ts";
import { address } from "./fake-host.ts";
import { FakeLog } from "./fake-log.ts";

/** So many VIPs are asked for at a time. */
const AT_ONCE = 32;

interface Question {
  readonly ip: string;
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly answer: (...macs: readonly string[]) => Promise<void>;
  readonly fail: (message: string) => Promise<void>;
}

/** A prober whose questions a test answers. Each VIP has the address of its own name, unless the test says otherwise. */
class Wire {
  readonly questions: Question[] = [];
  readonly found: [vip: string, others: readonly string[]][] = [];
  readonly log = new FakeLog();
  readonly prober: Prober;

  constructor(addressesOf: (vip: string) => readonly VipAddress[] = (vip) => [address(vip)]) {
    this.prober = new Prober({
      packets: {
        announce: () => true,
        close: () => {},
        probe: ({ ip }, waitMs, signal) =>
          new Promise((resolve, reject) => {
            const answer = (...macs: readonly string[]): Promise<void> => {
              resolve(macs.map((mac): Answer => ({ mac, at: instant(0) })));
              return settlePromises();
            };
            const fail = (message: string): Promise<void> => {
              reject(new Error(message));
              return settlePromises();
            };
            this.questions.push({ ip, waitMs, signal, answer, fail });
          }),
      },
      log: this.log,
      addressesOf,
      probed: (vip, others) => this.found.push([vip, others]),
    });
  }

  get asked(): readonly string[] {
    return this.questions.map(({ ip }) => ip);
  }
}

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `vip-${index}`);
}

test("the answers of all addresses of a VIP are told together, each station once, in order", async () => {
  const wire = new Wire(() => [address("10.0.0.1"), address("10.0.0.2")]);
  wire.prober.probe(["web"]);
  await wire.questions[0]?.answer("02:b", "02:a");
  expect(wire.found).toEqual([]);
  await wire.questions[1]?.answer("02:b", "02:c");
  expect(wire.found).toEqual([["web", ["02:a", "02:b", "02:c"]]]);
  expect(wire.questions.map(({ waitMs }) => waitMs)).toEqual([60, 60]);
});

test("a VIP that nobody else answers for is told too", async () => {
  const wire = new Wire();
  wire.prober.probe(["web"]);
  await wire.questions[0]?.answer();
  expect(wire.found).toEqual([["web", []]]);
});

test("32 VIPs are asked for at a time, the others in their order as soon as one is answered", async () => {
  const wire = new Wire();
  const all = names(AT_ONCE + 3);
  wire.prober.probe(all);
  expect(wire.asked).toEqual(all.slice(0, AT_ONCE));
  await wire.questions[5]?.answer();
  expect(wire.asked).toEqual(all.slice(0, AT_ONCE + 1));
  for (const { answer } of [...wire.questions]) await answer();
  for (const { answer } of wire.questions.slice(AT_ONCE)) await answer();
  expect(wire.asked).toEqual(all);
  expect(wire.found.map(([vip]) => vip).toSorted()).toEqual(all.toSorted());
});

test("a VIP that waits already is not asked for twice; one that is being asked for is", async () => {
  const wire = new Wire();
  const all = names(AT_ONCE + 1);
  wire.prober.probe(all);
  wire.prober.probe(["vip-0", `vip-${AT_ONCE}`]);
  for (let index = 0; index < AT_ONCE + 2; index += 1) await wire.questions[index]?.answer();
  expect(wire.asked).toEqual([...all, "vip-0"]);
});

test("a VIP that cannot be asked for is warned of, and keeps no other one waiting", async () => {
  const wire = new Wire();
  wire.prober.probe(names(AT_ONCE + 1));
  await wire.questions[0]?.fail("ENETDOWN");
  expect(wire.log.lines).toEqual([
    {
      level: "warn",
      message: "the wire could not be asked who else answers",
      fields: { vip: "vip-0", error: "ENETDOWN" },
    },
  ]);
  expect(wire.asked).toHaveLength(AT_ONCE + 1);
  expect(wire.found).toEqual([]);
});

test("a closed prober gives its questions up without a word, and asks for nothing more", async () => {
  const wire = new Wire();
  wire.prober.probe(names(AT_ONCE + 1));
  wire.prober.close();
  expect(wire.questions.every(({ signal }) => signal.aborted)).toBe(true);
  for (const { fail } of [...wire.questions]) await fail("aborted");
  wire.prober.probe(["late"]);
  expect(wire.asked).toHaveLength(AT_ONCE);
  expect(wire.log.lines).toEqual([]);
  expect(wire.found).toEqual([]);
});

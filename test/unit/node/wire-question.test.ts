// Who answers for addresses behind a farewell: nobody, somebody, or nobody knows.

import { describe, expect, test } from "vitest";
import { wireQuestions } from "../../../src/node/wire-question.ts";
import { instant } from "../../../src/base/time.ts";
import type { Answer } from "../../../src/ports/host.ts";
import { address } from "./fake-host.ts";

const ADDRESSES = [address("10.0.0.50"), address("10.0.0.51")];
const SOMEBODY: readonly Answer[] = [{ mac: "02:00:00:00:00:01", at: instant(1) }];

const asked = (probe: (ip: string) => Promise<readonly Answer[]>): Promise<boolean> =>
  new Promise((resolve) => wireQuestions({ probe: ({ ip }) => probe(ip) })(ADDRESSES, resolve));

describe("the wire is", () => {
  test("silent when nobody answers for any of the addresses", async () => {
    expect(await asked(() => Promise.resolve([]))).toBe(true);
  });

  test("not silent when somebody answers for one of them", async () => {
    expect(await asked((ip) => Promise.resolve(ip === "10.0.0.51" ? SOMEBODY : []))).toBe(false);
  });

  test("not known to be silent when it cannot be asked", async () => {
    expect(await asked(() => Promise.reject(new Error("eth0 sends nothing: it is down")))).toBe(false);
  });
});

test("without addresses nothing is silent, and of more than 32 questions at a time none is asked", () => {
  let probes = 0;
  const ask = wireQuestions({
    probe: () => {
      probes += 1;
      return new Promise(() => {});
    },
  });
  const answers: boolean[] = [];
  ask([], (isSilent) => answers.push(isSilent));
  for (let i = 0; i < 40; i += 1) ask(ADDRESSES.slice(0, 1), (isSilent) => answers.push(isSilent));
  expect([probes, answers]).toEqual([32, Array.from({ length: 9 }, () => false)]);
});

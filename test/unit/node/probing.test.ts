// Questions about who else answers: at each VIP's own interval, for as long as it is held.

import { expect, test } from "vitest";
import { Probing } from "../../../src/node/probing.ts";
import { VirtualTimers } from "../runtime/virtual-timers.ts";

function world(): { probing: Probing; timers: VirtualTimers; held: Set<string>; asked: () => readonly string[] } {
  const timers = new VirtualTimers();
  const began = timers.now();
  const held = new Set<string>();
  const asked: string[] = [];
  const probe = (vips: readonly string[]): void => void asked.push(`${vips.join()} ${timers.now() - began}`);
  const probing = new Probing({ timers, isHeld: (vip) => held.has(vip), probe });
  return { probing, timers, held, asked: () => asked.splice(0) };
}

const WEB = { name: "web", probeIntervalMs: 1_000 };
const DB = { name: "db", probeIntervalMs: 2_500 };
const MAIL = { name: "mail", probeIntervalMs: 0 };

test("what is held is asked about at its interval, and nothing else", async () => {
  const { probing, timers, held, asked } = world();
  probing.plan([WEB, DB, MAIL]);
  await timers.advance(5_000);
  expect(asked()).toEqual([]);
  for (const vip of ["web", "db", "mail"]) held.add(vip);
  probing.held([...held]);
  await timers.advance(3_000);
  expect(asked()).toEqual(["web 6000", "web 7000", "db 7500", "web 8000"]);
  held.delete("web");
  await timers.advance(2_000);
  expect(asked()).toEqual(["db 10000"]);
});

test("a new plan changes intervals of what is held, and forgets what is gone", async () => {
  const { probing, timers, held, asked } = world();
  probing.plan([WEB, DB]);
  for (const vip of ["web", "db"]) held.add(vip);
  probing.held([...held]);
  probing.plan([{ ...WEB, probeIntervalMs: 3_000 }]);
  await timers.advance(5_000);
  expect(asked()).toEqual(["web 3000"]);
  probing.close();
  await timers.advance(5_000);
  expect(asked()).toEqual([]);
});

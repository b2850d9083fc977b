// The recorder must see two hosts that answer at a time: else all that it never saw proves nothing.

import { expect, test } from "vitest";
import { VIP, VIP6 } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

test.each([VIP, VIP6])("two hosts that both have %s bound are seen as two answerers", async (ip) => {
  const { recorder, now, idle } = bench();
  const from = now();
  const prefix = ip.includes(":") ? "/64" : "/24";
  for (const name of ["a", "b"])
    bench()
      .host(name)
      .namespace.exec("ip", "address", "add", `${ip}${prefix}`, "dev", "eth0", ...(ip.includes(":") ? ["nodad"] : []));
  await recorder.answered(ip, () => true, from);
  await idle(300);
  expect(new Set(recorder.hands(ip, from))).toEqual(new Set(["a", "b"]));
  expect(recorder.overlapMs(ip, ["a", "b"], from)).toBeGreaterThan(100);
});

test("an address that goes leaves a gap, one that moves shows both hosts in their order", async () => {
  const { recorder, now, idle } = bench();
  const [a, b] = ["a", "b"].map((name) => bench().host(name).namespace);
  a?.exec("ip", "address", "add", `${VIP}/24`, "dev", "eth0");
  await recorder.answered(VIP, (name) => name === "a", 0);
  const from = now();
  a?.exec("ip", "address", "delete", `${VIP}/24`, "dev", "eth0");
  await idle(200);
  b?.exec("ip", "address", "add", `${VIP}/24`, "dev", "eth0");
  bench().lan.client.namespace.exec("ip", "neigh", "flush", "dev", "eth0");
  await recorder.answered(VIP, (name) => name === "b", from);
  expect(recorder.gapMs(VIP, from)).toBeGreaterThan(190);
  expect(recorder.hands(VIP, from).at(-1)).toBe("b");
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
});

// The interface of a VIP gets another name while the VIP is bound on it: the address goes with it, its answers must not.

import { expect, test } from "vitest";
import { oneVip, VIP, VIP6 } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

function addressesOf(name: string): string {
  return bench().host(name).namespace.exec("ip", "-o", "address", "show");
}

test("a holder whose interface is renamed removes the VIP from it before another one holds, and is silent when it stops", async () => {
  const { recorder, now, idle } = bench();
  const [a, b] = await bench().startAll({ ttl: "3s" });
  const host = bench().host("a");
  const from = await bench().mark("a");
  host.namespace.exec("ip", "link", "set", "eth0", "name", "lan0");
  await b?.holds();
  for (const ip of [VIP, VIP6]) {
    expect(addressesOf("a")).not.toContain(` ${ip}/`);
    expect(recorder.overlapMs(ip, ["a", "b"], from), ip).toBe(0);
  }
  a?.signal("SIGTERM");
  await expect(a?.ended).resolves.toEqual({ code: 0, signal: null });
  const stopped = now();
  await idle(1_000);
  expect(recorder.answers.filter(({ host: name, at }) => name === "a" && at > stopped)).toEqual([]);
  await recorder.answered(VIP, (name) => name === "b", stopped);
  expect(host.namespace.exec("nft", "list", "tables").trim()).toBe("");
});

test.each(["SIGSTOP", "SIGKILL"] as const)(
  "a holder that is hit by %s before its interface is renamed answers no longer than its lease",
  async (signal) => {
    const { recorder } = bench();
    const [a, b] = await bench().startAll();
    const from = await bench().mark("a");
    a?.signal(signal);
    bench().host("a").namespace.exec("ip", "link", "set", "eth0", "name", "lan0");
    await b?.holds();
    for (const ip of [VIP, VIP6]) {
      await recorder.answered(ip, (name) => name === "b", from);
      expect(addressesOf("a")).toContain(` ${ip}/`);
    }
    await bench().idle(1_000);
    for (const ip of [VIP, VIP6]) expect(recorder.overlapMs(ip, ["a", "b"], from), ip).toBe(0);
  },
);

test("what a former vipd left on an interface that was renamed is removed by the next one", async () => {
  const host = bench().host("a");
  const a = bench().fleet.start(host, { vips: oneVip(200) });
  await a.holds();
  await a.kill();
  host.namespace.exec("ip", "link", "set", "eth0", "name", "lan0");
  const again = bench().fleet.restart(host);
  await again.until("has started", ({ elections }) => elections.length === 1);
  for (const ip of [VIP, VIP6]) expect(addressesOf("a")).not.toContain(` ${ip}/`);
});

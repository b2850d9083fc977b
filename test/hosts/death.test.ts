// What nobody planned: killed, frozen and restarted daemons. The kernel's fence, not our event loop, keeps the VIP single.

import { expect, test } from "vitest";
import { oneVip, VIP, VIP6 } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b", "c"]);

test("SIGKILL without restart: the kernel silences the host before another answers", async () => {
  const { recorder } = bench();
  const [a, b] = await bench().startAll();
  const from = await bench().mark("a");
  await a?.kill();
  await b?.holds();
  await recorder.answered(VIP, (name) => name === "b", from);
  await recorder.answered(VIP6, (name) => name === "b", from);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
  expect(recorder.overlapMs(VIP6, ["a", "b"], from)).toBe(0);
});

test("SIGKILL and restart within the lease: the token stays, and the client sees nothing", async () => {
  const { recorder, fleet, idle } = bench();
  const [a] = await bench().startAll({ ttl: "3s" });
  const before = await a?.holds();
  const from = await bench().mark("a");
  await a?.kill();
  const again = fleet.restart(bench().host("a"));
  const after = await again.holds();
  await idle(3_500);
  expect(after.elections[0]?.token).toBe(before?.elections[0]?.token);
  expect(after.elections[0]?.holder).toBe("a");
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
  expect(recorder.hands(VIP6, from)).toEqual(["a"]);
  expect(await again.admin.status({ timeoutMs: 2_000 })).toMatchObject({ session: { state: "live" } });
});

test("SIGSTOP beyond the lease, then SIGCONT: the frozen host is silent, and stays so when it thaws", async () => {
  const { recorder, now, idle } = bench();
  const [a, b] = await bench().startAll();
  const from = await bench().mark("a");
  a?.signal("SIGSTOP");
  await b?.holds();
  await recorder.answered(VIP, (name) => name === "b", from);
  await idle(500);
  const thawed = now();
  a?.signal("SIGCONT");
  await a?.until(
    "has seen that its session is gone",
    (status) => status.elections[0]?.role !== "holder" && status.session.state === "live",
  );
  await idle(300);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b"]);
  expect(recorder.hands(VIP6, from)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["b"], thawed)).toBe(0);
  expect(bench().isBound(bench().host("a"), VIP)).toBe(false);
});

test("SIGSTOP shorter than the lease moves nothing", async () => {
  const { recorder, idle } = bench();
  const [a] = await bench().startAll({ ttl: "3s" });
  const from = await bench().mark("a");
  a?.signal("SIGSTOP");
  await idle(700);
  a?.signal("SIGCONT");
  await idle(2_500);
  await a?.holds();
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
});

test("every node killed: whoever starts again holds it within a lease and a little, with a greater token", async () => {
  const { recorder, now, fleet } = bench();
  const daemons = await bench().startAll();
  const before = await daemons[0]?.holds();
  for (const daemon of daemons) await daemon.kill();
  const from = now();
  const c = fleet.restart(bench().host("c"));
  const after = await c.holds();
  await recorder.answered(VIP, (name) => name === "c", from);
  expect(BigInt(after.elections[0]?.token ?? 0)).toBeGreaterThan(BigInt(before?.elections[0]?.token ?? 0));
  expect(recorder.hands(VIP, from).at(-1)).toBe("c");
});

test("two VIPs, each node master of one: a death moves one, a return brings it back", async () => {
  const { fleet, recorder, now } = bench();
  const second = "10.77.0.60";
  const vips = (web: number, mail: number): string =>
    `${oneVip(web, "    preemptDelay: 300ms\n")}  mail:\n    interface: eth0\n    addresses: [${second}/24]\n    priority: ${mail}\n    preemptDelay: 300ms\n`;
  const a = fleet.start(bench().host("a"), { vips: vips(150, 100) });
  const b = fleet.start(bench().host("b"), { vips: vips(100, 150) });
  await Promise.all([a.holds("web", 15_000), b.holds("mail", 15_000)]);
  await recorder.answered(VIP, (name) => name === "a", now());
  const from = now();
  await a.kill();
  await b.holds("web");
  await b.holds("mail");
  const again = fleet.restart(bench().host("a"));
  await again.holds("web");
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.overlapMs(VIP, ["a", "b", "a"], from)).toBe(0);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b", "a"]);
});

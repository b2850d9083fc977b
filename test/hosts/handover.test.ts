// Planned moves: the successor is named in the store by the one that lets go, so nobody waits for a lease to end.

import { expect, test } from "vitest";
import { VIP, VIP6 } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b", "c"]);

test("step-down moves the VIP to the best other candidate, which was told before anybody else could ask", async () => {
  const { fleet, recorder } = bench();
  const [a, b] = await bench().startAll();
  const from = await bench().mark("a");
  const result = await fleet.vipctl(bench().host("a"), [
    "step-down",
    "web",
    "--config",
    fleet.configFile(bench().host("a")),
  ]);
  expect(result).toMatchObject({ code: 0 });
  await b?.holds();
  await recorder.answered(VIP, (name) => name === "b", from);
  await a?.backs();
  expect(recorder.hands(VIP, from)).toEqual(["a", "b"]);
  expect(recorder.hands(VIP6, from)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
});

test("step-down to a named node moves it there", async () => {
  const { recorder } = bench();
  const [a, , c] = await bench().startAll();
  const from = await bench().mark("a");
  await expect(a?.admin.stepDown({ election: "web", to: "c" }, { timeoutMs: 2_000 })).resolves.toMatchObject({
    accepted: true,
  });
  await c?.holds();
  await recorder.answered(VIP, (name) => name === "c", from);
  expect(recorder.hands(VIP, from)).toEqual(["a", "c"]);
  await expect(a?.admin.stepDown({ election: "web", to: "b" }, { timeoutMs: 2_000 })).resolves.toMatchObject({
    accepted: false,
  });
});

test("SIGTERM lets go, hands over, exits 0, and leaves neither address nor fence behind", async () => {
  const { recorder, now } = bench();
  const [a, b] = await bench().startAll();
  const from = await bench().mark("a");
  a?.signal("SIGTERM");
  await expect(a?.ended).resolves.toEqual({ code: 0, signal: null });
  expect(now() - from).toBeLessThan(1_000);
  await b?.holds();
  await recorder.answered(VIP, (name) => name === "b", from);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b"]);
  const station = bench().host("a");
  expect(bench().isBound(station, VIP)).toBe(false);
  expect(bench().isBound(station, VIP6)).toBe(false);
  expect(station.namespace.exec("nft", "list", "ruleset").trim()).toBe("");
});

test("a stop of the last node leaves the VIP free, and says so", async () => {
  const { fleet } = bench();
  const daemons = await bench().startAll();
  for (const daemon of daemons) {
    daemon.signal("SIGTERM");
    await daemon.ended;
  }
  const owns = await fleet.vipctl(bench().host("a"), ["who-owns", "web", "--store", fleet.store, "--fleet", "test"]);
  expect(owns).toMatchObject({ code: 1, stdout: expect.stringContaining("free") });
});

test("a pulled cable moves the VIP at once; a cable put back moves nothing without pre-emption", async () => {
  const { recorder, idle } = bench();
  const [a, b] = await bench().startAll({}, "    preempt: false\n");
  const from = await bench().mark("a");
  const station = bench().host("a");
  station.pullCable();
  await recorder.answered(VIP, (name) => name === "b", from);
  await b?.holds();
  await a?.until("sees its cable", (status) => status.elections[0]?.eligible === false);
  expect(bench().isBound(station, VIP)).toBe(false);
  station.plugCable();
  await a?.until("is fit again", (status) => status.elections[0]?.eligible === true);
  await idle(1_500);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
  expect(recorder.hands(VIP, from).at(-1)).toBe("b");
});

test("with pre-emption the better node gets it back after its delay", async () => {
  const { recorder, now } = bench();
  const [a, b] = await bench().startAll({}, "    preemptDelay: 500ms\n");
  const from = await bench().mark("a");
  bench().host("a").pullCable();
  await b?.holds();
  bench().host("a").plugCable();
  await a?.holds();
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.overlapMs(VIP, ["a", "b", "a"], from)).toBe(0);
  expect(recorder.hands(VIP, from).at(-1)).toBe("a");
});

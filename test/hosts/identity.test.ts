// Two daemons that claim to be the same node, on one host and on two.

import { expect, test } from "vitest";
import { oneVip, VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

test("a second daemon with the same state directory does not start", async () => {
  const { fleet, recorder, now } = bench();
  const host = bench().host("a");
  const first = fleet.start(host, { vips: oneVip(200) });
  await first.holds();
  const from = now();
  const second = fleet.restart(host);
  await expect(second.ended).resolves.toEqual({ code: 75, signal: null });
  expect(second.log()).toContain("another vipd uses the state directory");
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
});

test("a second daemon in the same network namespace does not start, and says why", async () => {
  const { fleet, recorder, now } = bench();
  const host = bench().host("a");
  await fleet.start(host, { vips: oneVip(200) }).holds();
  const from = now();
  const second = fleet.start(host, { node: "other", vips: oneVip(250) });
  await expect(second.ended).resolves.toEqual({ code: 75, signal: null });
  expect(second.log()).toBe(
    "vipd: another vipd already runs in this network namespace: there can be one in each; stop it first\n",
  );
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
});

test("also not while the first one is frozen: it may believe in its lease when it thaws", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const first = fleet.start(host, { vips: oneVip(200) });
  await first.holds();
  first.signal("SIGSTOP");
  const second = fleet.restart(host);
  await expect(second.ended).resolves.toEqual({ code: 75, signal: null });
});

test("the same node id on another host never answers, and both are told", async () => {
  const { fleet, recorder, now, idle } = bench();
  const first = fleet.start(bench().host("a"), { vips: oneVip(200), node: "twin" });
  await first.holds();
  const from = now();
  const second = fleet.start(bench().host("b"), { vips: oneVip(250), node: "twin" });
  const status = await second.until(
    "tells of the other node of its name",
    (seen) => seen.warnings.some((warning) => warning.includes("twin")),
    15_000,
  );
  expect(status.elections[0]?.role ?? "idle").not.toBe("holder");
  await idle(2_000);
  expect(recorder.overlapMs(VIP, ["a"], from)).toBe(0);
  await first.kill();
  await second.holds("web", 15_000);
  await recorder.answered(VIP, (name) => name === "b", from);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
});

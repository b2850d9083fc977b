// Maintenance of a host: its VIP goes to another, and does not come back by a restart, only by vipctl resume.

import { expect, test } from "vitest";
import { VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

/** The messages of a log at level warning or above. */
function warningsIn(log: string): readonly string[] {
  return log.split("\n").flatMap((line) => {
    if (!line.startsWith("{")) return [];
    const { level, msg } = JSON.parse(line) as { readonly level: number | string; readonly msg: string };
    return level === 40 || level === 50 || level === "warn" || level === "error" ? [msg] : [];
  });
}

test("the preferred host in maintenance holds nothing over restarts of both kinds, until it is resumed", async () => {
  const { fleet, recorder } = bench();
  const [a, b] = await bench().startAll({}, "    preemptDelay: 0s\n");
  const config = ["--config", fleet.configFile(bench().host("a"))];
  const from = await bench().mark("a");
  const begun = await fleet.vipctl(bench().host("a"), ["maintenance", "--reason", "disks", ...config]);
  expect(begun).toMatchObject({ code: 0, stdout: "node a is in maintenance until vipctl resume\n" });
  await recorder.answered(VIP, (name) => name === "b", from);
  await expect.poll(() => a?.log()).toMatch(/maintenance asked for by uid 0 \(pid \d+\)/u);
  let running = a;
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    running?.signal(signal);
    await running?.ended;
    const again = fleet.restart(bench().host("a"));
    running = again;
    const status = await again.until(
      "stands back",
      ({ session, elections: [web] }) => session.state === "live" && web?.holder === "b" && web.eligible === false,
    );
    expect(status.elections[0]?.ineligibleReasons).toMatchObject([
      { source: "maintenance", reason: expect.stringContaining("disks") },
    ]);
    await bench().idle(1_200);
    expect(warningsIn(again.log()), "an ordinary restart is no warning").toEqual([]);
  }
  expect((await b?.holds())?.elections[0]?.candidates.find(({ node }) => node === "a")).toMatchObject({
    eligible: false,
    reason: "maintenance (disks) until vipctl resume",
  });
  const resumedAt = bench().now();
  expect(await fleet.vipctl(bench().host("a"), ["resume", ...config])).toMatchObject({ code: 0 });
  await recorder.answered(VIP, (name) => name === "a", resumedAt);
  expect(recorder.overlapMs(VIP, ["a", "b", "a"], from)).toBe(0);
});

test("a holder that is restarted in the ordinary way warns of nothing", async () => {
  const { fleet } = bench();
  const [a] = await bench().startAll();
  a?.signal("SIGTERM");
  await a?.ended;
  const again = fleet.restart(bench().host("a"));
  await again.until("takes part", ({ session }) => session.state === "live");
  await again.kill();
  const adopting = fleet.restart(bench().host("a"));
  await adopting.until("takes part", ({ session }) => session.state === "live");
  for (const daemon of [a, again, adopting]) expect(warningsIn(daemon?.log() ?? "")).toEqual([]);
});

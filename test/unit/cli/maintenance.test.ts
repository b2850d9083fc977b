// vipctl maintenance and resume: the daemon of this host gives up what it holds, and vipctl waits until others have it.

import { expect, test } from "vitest";
import { electionView, statusView } from "../admin/views.ts";
import { adminError, Desk } from "./desk.ts";

const TAKEN = statusView({ elections: [electionView({ role: "idle", holder: "web2", token: "42" })] });
const NO_OTHER = statusView({
  elections: [
    electionView({
      role: "holder",
      candidates: [{ node: "web1", priority: 1, eligible: true, alive: true, reason: null }],
    }),
  ],
});

test("all of the node: it asks, waits until others hold what it held, and says how it ends", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  const run = desk.vipctl("maintenance", "--reason", "disks");
  await daemon.feed.opened;
  const taken = daemon.feed.drained();
  daemon.feed.push(statusView());
  await taken;
  expect(desk.out.text).toBe("");
  daemon.feed.push(TAKEN);
  expect(await run).toBe(0);
  expect(daemon.maintained).toEqual([{ on: true, vip: null, reason: "disks" }]);
  expect(desk.out.text).toBe("node web1 is in maintenance until vipctl resume\n");
});

test("one VIP, by its address; nothing to wait for when it is another's", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  daemon.view = TAKEN;
  expect(await desk.vipctl("maintenance", "10.0.0.10", "--json")).toBe(0);
  expect(daemon.maintained).toEqual([{ on: true, vip: "web", reason: "" }]);
  expect(desk.out.json).toEqual({ node: "web1", vip: "web", maintenance: true });
});

test("a VIP that nobody else can take is kept, unless it is forced", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  daemon.view = NO_OTHER;
  expect(await desk.vipctl("maintenance")).toBe(1);
  expect(daemon.maintained).toEqual([]);
  expect(desk.err.text).toBe("nobody else can take web now; --force gives it up all the same\n");
  daemon.feed.push(statusView({ elections: [electionView({ role: "idle", holder: null, candidates: [] })] }));
  expect(await desk.vipctl("maintenance", "--force")).toBe(0);
});

test("a refusal, an unknown VIP, a failure to keep it: exit 1 or 2, and why", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  daemon.view = TAKEN;
  daemon.refusal = "web is not configured on this node";
  expect(await desk.vipctl("maintenance", "web")).toBe(1);
  expect(desk.err.text).toBe("web is not configured on this node\n");
  expect(await desk.vipctl("maintenance", "nope")).toBe(2);
  daemon.maintenance = () => Promise.reject(adminError("refused", "maintenance.json cannot be written"));
  expect(await desk.vipctl("maintenance", "web")).toBe(1);
  expect(desk.err.lines.at(-1)).toBe("maintenance.json cannot be written");
});

test("resume ends it, also of a VIP that status does not show", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  expect(await desk.vipctl("resume")).toBe(0);
  expect(await desk.vipctl("resume", "gone")).toBe(0);
  expect(daemon.maintained).toEqual([
    { on: false, vip: null, reason: "" },
    { on: false, vip: "gone", reason: "" },
  ]);
  expect(desk.out.lines).toEqual(["node web1 is not in maintenance any more", "gone is not in maintenance any more"]);
});

// vipctl step-down: only the daemon of this host can hand over what it holds; vipctl waits until another has it.

import { expect, test } from "vitest";
import { electionView, statusView } from "../admin/views.ts";
import { adminError, CONFIG, Desk, GOOD_CONFIG } from "./desk.ts";

const TAKEN = statusView({ elections: [electionView({ role: "candidate", holder: "web2", token: "42" })] });
const FREE = statusView({ elections: [electionView({ role: "candidate", holder: null, holderAlive: null })] });

test("it asks, waits until another node holds, and says who", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  const run = desk.vipctl("step-down", "10.0.0.10");
  await daemon.feed.opened;
  const taken = daemon.feed.drained();
  daemon.feed.push(statusView(), FREE);
  await taken;
  expect(desk.out.text, "not before another one holds it").toBe("");
  daemon.feed.push(TAKEN);
  expect(await run).toBe(0);
  expect(daemon.asked).toEqual([{ election: "web", to: null }]);
  expect(desk.out.text).toBe("web is held by web2 now, token 42\n");
});

test("--to goes to the daemon; --json tells what came of it", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  daemon.feed.push(TAKEN);
  expect(await desk.vipctl("step-down", "web", "--to", "web2", "--json")).toBe(0);
  expect(daemon.asked).toEqual([{ election: "web", to: "web2" }]);
  expect(desk.out.json).toEqual({ election: "web", holder: "web2", token: "42" });
});

test.each([
  ["another node holds it", TAKEN, "web1 does not hold web: web2 does; run vipctl step-down there\n"],
  ["nobody holds it", FREE, "nobody holds web\n"],
])("%s: exit 1, and nothing is asked for", async (_what, view, text) => {
  const desk = new Desk();
  const daemon = desk.daemon();
  daemon.view = view;
  expect(await desk.vipctl("step-down", "web")).toBe(1);
  expect(desk.err.text).toBe(text);
  expect(daemon.asked).toEqual([]);
});

test("a refusal of the daemon, in its own words: exit 1", async () => {
  const desk = new Desk();
  const daemon = desk.daemon();
  daemon.refusal = "no other node is eligible for web";
  expect(await desk.vipctl("step-down", "web")).toBe(1);
  expect(desk.err.text).toBe("no other node is eligible for web\n");
  daemon.stepDown = () => Promise.reject(adminError("refused", "the fleet knows no node web9"));
  expect(await desk.vipctl("step-down", "web", "--to", "web9")).toBe(1);
  expect(desk.err.lines[1]).toBe("the fleet knows no node web9");
});

test("a handover that does not come about: exit 1, and where to look", async () => {
  const desk = new Desk();
  const { feed } = desk.daemon();
  feed.push(FREE);
  feed.end();
  expect(await desk.vipctl("step-down", "web")).toBe(1);
  expect(desk.err.text).toContain("web has not been taken by another node");
});

test("an unknown name: exit 2", async () => {
  const desk = new Desk();
  desk.daemon();
  expect(await desk.vipctl("step-down", "nope")).toBe(2);
  expect(desk.err.text).toContain("there is web, db");
});

test("without a daemon: exit 69; the store is not enough", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  desk.fleet();
  expect(await desk.vipctl("step-down", "web")).toBe(69);
  expect(desk.err.text).toContain("no daemon listens at /run/vipd/vipd.sock");
  expect(await desk.vipctl("step-down", "web", "--store", "sqlite:/x"), "no such option").toBe(2);
});

test("a daemon that breaks off while it is asked: exit 69", async () => {
  const desk = new Desk();
  desk.daemon().stepDown = () => Promise.reject(adminError("broken", "the connection broke off"));
  expect(await desk.vipctl("step-down", "web")).toBe(69);
  expect(desk.err.text).toBe("vipctl: the connection broke off\n");
});

test("while the store cannot be reached, the host that has let it go says so", async () => {
  const store = { ...statusView().store, ok: false, lastError: "connection refused" };
  const desk = new Desk();
  desk.daemon().view = statusView({ store, elections: [electionView({ role: "candidate", holder: "web1" })] });
  expect(await desk.vipctl("step-down", "web")).toBe(1);
  expect(desk.err.text).toBe(
    "web1 does not hold web any more: its lease ended while the store could not be reached (connection refused)\n",
  );
});

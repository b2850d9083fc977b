// Maintenance: kept in the state directory, told to the elector, and asked for through the admin socket.

import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VipdError } from "../../../src/base/errors.ts";
import { reason } from "../../../src/base/reasons.ts";
import { adminActions } from "../../../src/node/admin-actions.ts";
import { type MaintenanceKeeper, openMaintenance } from "../../../src/node/maintenance.ts";
import { BegunDaemon, DB, WEB } from "./begun-daemon.ts";
import { FakeLog } from "./fake-log.ts";

let stateDir: string;
let troubles: string[];

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "vm"));
  troubles = [];
});

afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const open = (): MaintenanceKeeper => openMaintenance(stateDir, (message) => troubles.push(message));
const path = (): string => join(stateDir, "maintenance.json");

describe("what is kept", () => {
  test("lasts over restarts, for one VIP or for all, until it is ended", () => {
    open().begin("web", "disks");
    expect(open().reasonFor("web")).toBe("disks");
    expect(open().reasonFor("db")).toBeNull();
    open().begin(null, "");
    expect([open().reasonFor("web"), open().reasonFor("db")]).toEqual(["disks", ""]);
    expect(open().end("db"), "not named").toBe(false);
    expect(open().end("web")).toBe(true);
    expect(open().reasonFor("web"), "all of the node").toBe("");
    expect(open().end(null)).toBe(true);
    expect(open().reasonFor("web")).toBeNull();
    expect(existsSync(path())).toBe(false);
    expect(open().end(null)).toBe(false);
    expect(troubles).toEqual([]);
  });

  test("a VIP may be called like a property that every object has", () => {
    expect(open().reasonFor("constructor")).toBeNull();
    open().begin("constructor", "x");
    expect(open().reasonFor("constructor")).toBe("x");
    expect(open().end("toString")).toBe(false);
  });

  test("what cannot be kept is refused, and changes nothing", () => {
    const keeper = open();
    keeper.begin("web", "x");
    rmSync(path());
    mkdirSync(join(path(), "in-the-way"), { recursive: true });
    expect(() => keeper.begin("db", "x")).toThrow(/maintenance\.json cannot be written .* nothing has changed/u);
    expect(keeper.reasonFor("db")).toBeNull();
    expect(keeper.reasonFor("web")).toBe("x");
  });

  test.each(["", "{", "[]", '{"all":1,"vips":{}}', `{"all":"${"x".repeat(5_000)}","vips":{}}`])(
    "a file that cannot be understood is told, and is no maintenance: %s",
    (content) => {
      writeFileSync(path(), content);
      expect(open().reasonFor("web")).toBeNull();
      expect(troubles).toEqual([expect.stringContaining("cannot be understood")]);
    },
  );

  test("a link is not followed", () => {
    const elsewhere = join(stateDir, "elsewhere");
    writeFileSync(elsewhere, '{"all":"stolen","vips":{}}');
    symlinkSync(elsewhere, path());
    expect(open().reasonFor("web")).toBeNull();
    expect(troubles).toHaveLength(1);
    open().begin(null, "mine");
    expect(readFileSync(elsewhere, "utf8")).toContain("stolen");
    chmodSync(stateDir, 0o750);
  });
});

describe("a daemon in maintenance", () => {
  const why = (text: string) => reason("maintenance", text);

  test("makes its VIPs ineligible by a source of its own, from the start, until it is resumed", () => {
    open().begin("web", "disks");
    const begun = new BegunDaemon([WEB, DB], { maintenance: open() }).start();
    expect(begun.daemon.eligibility.of("web")).toMatchObject([{ source: "maintenance", reason: why("disks") }]);
    expect(begun.elector.candidacies.get("web")?.ineligible).toEqual(why("disks"));
    expect(begun.elector.candidacies.get("db")?.ineligible).toBeNull();
    expect(begun.daemon.maintain("web", null)).toBeUndefined();
    expect(begun.elector.news()).toEqual(["candidacies: web eligible"]);
  });

  test("makes VIPs ineligible that a reload adds, when all of the node is in maintenance", () => {
    const begun = new BegunDaemon([WEB], { maintenance: open() }).start();
    expect(begun.daemon.maintain(null, "")).toBeUndefined();
    expect(begun.elector.news()).toEqual(["candidacies: web maintenance"]);
    begun.reload([WEB, DB]);
    expect(begun.elector.candidacies.get("db")?.ineligible).toEqual(why(""));
  });

  test("says why not: an unknown VIP, one that is not in maintenance, or only with all others", () => {
    const { daemon } = new BegunDaemon([WEB], { maintenance: open() }).start();
    expect(daemon.maintain("nope", "x")).toBe("nope is not configured on this node");
    expect(daemon.maintain("web", null)).toBe("web is not in maintenance on this node");
    expect(daemon.maintain(null, null)).toBe("this node is not in maintenance");
    daemon.maintain(null, "");
    expect(daemon.maintain("web", null)).toContain("vipctl resume without a name");
  });
});

describe("an action of the admin socket", () => {
  const caller = { uid: 1000, pid: 77 };

  test("is logged with the user who asked for it", async () => {
    const log = new FakeLog();
    const actions = adminActions(
      { stepDown: () => "no other eligible candidate is alive", maintain: () => undefined },
      log,
    );
    expect(await actions.stepDown({ election: "web", to: "lb2" }, caller)).toMatchObject({ accepted: false });
    expect(await actions.maintenance({ on: true, vip: null, reason: "disks" }, null)).toMatchObject({ accepted: true });
    expect(log.lines).toEqual([
      {
        level: "info",
        message: "step-down asked for by uid 1000 (pid 77)",
        fields: { vip: "web", to: "lb2", uid: 1000, callerPid: 77 },
      },
      { level: "info", message: "step-down refused: no other eligible candidate is alive", fields: { vip: "web" } },
      {
        level: "info",
        message: "maintenance asked for by a user of the admin socket",
        fields: { vip: null, reason: "disks", uid: null, callerPid: null },
      },
    ]);
  });

  test("that cannot be kept fails", async () => {
    const maintain = (): never => {
      throw new VipdError("admin", "cannot be written");
    };
    const actions = adminActions({ stepDown: () => undefined, maintain }, new FakeLog());
    await expect(actions.maintenance({ on: false, vip: "web", reason: "" }, caller)).rejects.toThrow(
      "cannot be written",
    );
  });
});

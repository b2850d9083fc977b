// A state directory on a disk that is full: told in words, with its exit code, and a lease that is taken up needs no room.

import { execFileSync } from "node:child_process";
import { mkdirSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { oneVip, VIP } from "./harness/fleet.ts";
import { eventually } from "../linux/namespaces.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a"]);
const disks: string[] = [];

afterEach(() => {
  for (const disk of disks.splice(0)) execFileSync("umount", ["--lazy", disk]);
});

/** A disk of four pages, with room for that many files beside its root. */
function makeDisk(files: number): string {
  const disk = join(bench().fleet.directory, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=16k,mode=750,nr_inodes=${files + 1}`, "vipd-test", disk]);
  disks.push(disk);
  return disk;
}

/** Takes all its room. */
function fill(disk: string): void {
  const { bavail, bsize } = statfsSync(disk);
  writeFileSync(join(disk, "fill"), Buffer.alloc(bavail * bsize));
}

test("a restart takes the lease up, though nothing can be written", async () => {
  const { fleet, recorder, idle } = bench();
  const host = bench().host("a");
  const stateDir = makeDisk(10);
  const settings = { vips: oneVip(100), stateDir, ttl: "3s" };
  const first = fleet.start(host, settings);
  await first.holds();
  fill(stateDir);
  const from = await bench().mark("a");
  await first.kill();
  const second = fleet.restart(host);
  await second.holds();
  await idle(4_000);
  expect(recorder.gapMs(VIP, from)).toBeLessThan(1_000);
  expect(second.log()).not.toMatch(/\n {4}at /u);
});

test("a first start goes on without, and says what a restart will cost", async () => {
  const { fleet } = bench();
  const stateDir = makeDisk(10);
  fill(stateDir);
  const daemon = fleet.start(bench().host("a"), { vips: oneVip(100), stateDir });
  await daemon.holds();
  expect(daemon.log()).toMatch(/incarnation\.json cannot be written \(ENOSPC.+a restart will not take up the lease/u);
});

test.each([
  ["the lock", 0, ""],
  ["the directory itself", 0, "below"],
])("no room for %s: exit 74, naming the place and what would help", async (_what, files, below) => {
  const { fleet } = bench();
  const host = bench().host("a");
  const stateDir = join(makeDisk(files), below);
  const file = fleet.configure(host, { vips: oneVip(100), stateDir });
  const { code, stderr } = await fleet.vipd(host, ["-c", file]);
  expect({ code, stderr }).toEqual({
    code: 74,
    stderr: expect.stringMatching(
      /^vipd: .+\/disk.+ENOSPC.+; free its disk, make it writable for vipd, or set stateDir\n$/u,
    ),
  });
});

test("VRRP goes on without a history on disk, and says so once", async () => {
  const { fleet, idle } = bench();
  const stateDir = makeDisk(10);
  fill(stateDir);
  const vips = `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n    election: vrrp\n    vrrp: { id: 51, version: 3, interval: 100ms }\n`;
  const daemon = fleet.start(bench().host("a"), { store: null, vips, stateDir });
  await daemon.holds();
  await eventually("it says so", () => daemon.log().includes("vrrp-history.json cannot be written (ENOSPC"));
  bench().host("a").pullCable();
  await daemon.until("has let go", ({ elections }) => elections[0]?.role === "idle");
  bench().host("a").plugCable();
  await daemon.holds();
  await idle(300);
  expect(daemon.log().match(/vrrp-history\.json cannot be written/gu)).toHaveLength(1);
});

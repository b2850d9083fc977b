// What a daemon says, and how it exits, when it cannot start.

import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { oneVip } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a"]);
const VIPS = oneVip(200);

/** Runs the daemon to its end: how it exited, and its only message. */
async function refused(settings: {
  vips?: string;
  store?: string;
  ttl?: string;
  stateDir?: string;
  extra?: string;
}): Promise<{ code: number | null; said: string }> {
  const { fleet } = bench();
  const host = bench().host("a");
  const result = await fleet.vipd(host, ["-c", fleet.configure(host, { vips: VIPS, ...settings })]);
  return { code: result.code, said: result.stderr.trim() };
}

test.each([
  ["an unknown key", { extra: "vipps: 1" }, /vipps/u, /vips/u],
  [
    "a wrong type",
    { vips: "  web: {interface: eth0, addresses: [10.77.0.50/24], priority: high}\n" },
    /vips\.web\.priority/u,
    /number|1 to 254/u,
  ],
  [
    "an address without a prefix",
    { vips: "  web: {interface: eth0, addresses: [10.77.0.50]}\n" },
    /vips\.web\.addresses\[0\]/u,
    /10\.77\.0\.50\//u,
  ],
  ["a missing interface key", { vips: "  web: {addresses: [10.77.0.50/24]}\n" }, /vips\.web\.interface/u, /missing/u],
  [
    "a duplicate VIP",
    { vips: `${VIPS}  copy: {interface: eth0, addresses: [10.77.0.50/24]}\n` },
    /vips\.copy/u,
    /vips\.web/u,
  ],
  ["a ttl below the store's floor", { ttl: "300ms" }, /ttl/u, /500ms/u],
  [
    "a secret that is not there",
    { extra: "webhook: { url: https://h/, secretFile: /nope }" },
    /:\d+:\d+: webhook\.secretFile: \/nope cannot be read: there is no such file/u,
    /make it, or name another/u,
  ],
  ["an unknown store", { store: "zookeper://h" }, /store/u, /sqlite:/u],
])("%s: exit 78, and the message names the place and what would be right", async (_, settings, place, fix) => {
  const { code, said } = await refused(settings);
  expect(said).toMatch(place);
  expect(said).toMatch(fix);
  expect(code).toBe(78);
});

test("an unreadable file: exit 78, naming it", async () => {
  const { fleet } = bench();
  const result = await fleet.vipd(bench().host("a"), ["-c", join(fleet.directory, "none.yaml")]);
  expect(result).toMatchObject({ code: 78, stderr: expect.stringMatching(/none\.yaml: there is no such file/u) });
});

test("an interface that the host does not have is a warning of --check, naming those that it has", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const file = fleet.configure(host, { vips: "  web: {interface: eth9, addresses: [10.77.0.50/24]}\n" });
  const { code, stderr } = await fleet.vipd(host, ["--check", "-c", file]);
  expect(stderr).toMatch(/^warning: vips\.web: this host has no interface eth9: .*eth0/u);
  expect(code).toBe(0);
});

test("a pipe for a configuration is refused at once", async () => {
  const { fleet } = bench();
  const pipe = join(fleet.directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const { code, stderr } = await fleet.vipd(bench().host("a"), ["--check", "-c", pipe]);
  expect(stderr).toBe(`${pipe} is a pipe: give a regular file\n`);
  expect(code).toBe(78);
});

test("a file with 100,000 VIPs is refused in seconds", async () => {
  const { fleet } = bench();
  const file = join(fleet.directory, "large.yaml");
  const vips = Array.from({ length: 100_000 }, (_, i) => `  v${i}: {a: 1}\n`);
  writeFileSync(file, `store: ${fleet.store}\nvips:\n${vips.join("")}`);
  const begin = performance.now();
  const { code, stderr } = await fleet.vipd(bench().host("a"), ["--check", "-c", file]);
  expect(stderr).toContain("vips: holds 100000 VIPs; keep it within 8192");
  expect(code).toBe(78);
  expect(performance.now() - begin).toBeLessThan(30_000);
});

test("without privileges: exit 77, naming the capability", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const stateDir = join(fleet.directory, "state-nobody");
  mkdirSync(stateDir);
  chownSync(stateDir, 65_534, 65_534);
  chmodSync(fleet.directory, 0o777);
  const file = fleet.configure(host, { vips: VIPS, stateDir });
  const result = await fleet.vipd(
    host,
    ["-c", file],
    ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"],
  );
  expect(result).toMatchObject({ code: 77, stderr: expect.stringMatching(/CAP_NET_(ADMIN|RAW)/u) });
});

test("a store on a read-only disk: exit 3, saying so", async () => {
  const { fleet } = bench();
  const disk = join(fleet.directory, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", disk]);
  try {
    const { code, said } = await refused({ store: `sqlite:${disk}/fleet.db` });
    expect(said).toMatch(/read-only/u);
    expect(code).toBe(3);
  } finally {
    execFileSync("umount", [disk]);
  }
});

test("a damaged database: exit 3, naming the file and the fix", async () => {
  const path = join(bench().fleet.directory, "broken.db");
  writeFileSync(path, Buffer.alloc(8_192, 0x5a));
  const { code, said } = await refused({ store: `sqlite:${path}` });
  expect(said).toContain(path);
  expect(said).toMatch(/move the file away/u);
  expect(code).toBe(3);
});

test("an admin socket in use: exit 69, and whoever uses it keeps it", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(fleet.socketOf(host), resolve));
  try {
    const { code, said } = await refused({});
    expect(said).toContain(fleet.socketOf(host));
    expect(code).toBe(69);
    expect(server.listening).toBe(true);
  } finally {
    server.close();
  }
});

test("--check tells all mistakes at once and starts nothing", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const file = fleet.configure(host, {
    vips: "  web: {interface: eth0, addresses: [10.77.0.50], priority: 999}\n",
    ttl: "1 fortnight",
  });
  const result = await fleet.vipd(host, ["--check", "-c", file]);
  expect(result.code).toBe(78);
  for (const place of ["ttl", "vips.web.priority", "vips.web.addresses[0]"]) expect(result.stderr).toContain(place);
  const good = await fleet.vipd(host, ["--check", "-c", fleet.configure(host, { vips: VIPS })]);
  expect(good).toMatchObject({ code: 0, stderr: "" });
});

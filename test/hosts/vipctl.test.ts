// vipctl against real daemons: through the socket, straight from the store, and against the wire.

import { renameSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { VIP, VIP6 } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

/** Runs vipctl on host a and reads its JSON. */
function json(...args: readonly string[]): Promise<{ code: number | null; said: Record<string, unknown> }> {
  return jsonOn("a", ...args);
}

async function jsonOn(
  host: string,
  ...args: readonly string[]
): Promise<{ code: number | null; said: Record<string, unknown> }> {
  const { code, stdout, stderr } = await bench().fleet.vipctl(bench().host(host), [...args, "--json"]);
  expect(stdout, stderr).not.toBe("");
  return { code, said: JSON.parse(stdout) as Record<string, unknown> };
}

function storeArgs(): readonly string[] {
  return ["--store", bench().fleet.store, "--fleet", "test"];
}

function socketArgs(host = "a"): readonly string[] {
  return ["--socket", bench().fleet.socketOf(bench().host(host))];
}

test("who-owns finds a VIP by name and by address, through any daemon and from the store, and all agree", async () => {
  const [a] = await bench().startAll();
  const token = (await a?.holds())?.elections[0]?.token;
  for (const where of [socketArgs("a"), socketArgs("b"), storeArgs()])
    for (const what of ["web", VIP, `${VIP}/24`, VIP6, "2001:DB8:77:0::50"]) {
      const { code, said } = await json("who-owns", what, ...where);
      expect(said).toMatchObject({ election: "web", holder: "a", token, holderAlive: true });
      expect(code).toBe(0);
    }
});

test("who-owns in words tells holder, token and how fresh", async () => {
  await bench().startAll();
  const { code, stdout } = await bench().fleet.vipctl(bench().host("a"), ["who-owns", "web", ...storeArgs()]);
  expect(stdout).toMatch(/^web is held by a since .*\ntoken \d+, last heartbeat \d+\.?\d*s ago/u);
  expect(code).toBe(0);
});

test("--confirm is true of a living holder, and not of a dead one", async () => {
  const [a, b] = await bench().startAll({ ttl: "3s" });
  expect(await json("who-owns", "web", "--confirm", ...storeArgs())).toMatchObject({
    code: 0,
    said: { confirmed: true },
  });
  b?.signal("SIGTERM");
  await b?.ended;
  await a?.kill();
  const { code, said } = await json("who-owns", "web", "--confirm", ...storeArgs());
  expect(said).toMatchObject({ holder: "a", confirmed: false });
  expect(code).toBe(1);
});

test("--verify agrees when one host answers, and says so when the wire and the store differ", async () => {
  await bench().startAll();
  const agreed = await jsonOn("b", "who-owns", "web", "--verify", ...socketArgs("b"));
  expect(agreed, JSON.stringify(agreed)).toMatchObject({ code: 0, said: { wire: { agrees: true } } });
  expect(await jsonOn("a", "who-owns", "web", "--verify", ...socketArgs("a"))).toMatchObject({
    code: 0,
    said: { wire: { agrees: true } },
  });
  bench().lan.client.namespace.exec("ip", "address", "add", `${VIP}/24`, "dev", "eth0");
  const differs = await json("who-owns", "web", "--verify", ...socketArgs("a"));
  expect(differs.said).toMatchObject({ wire: { agrees: false } });
  expect(differs.code).toBe(4);
});

test("a name that nobody knows: exit 2; a store that is not there: exit 3; no daemon and no store: exit 69", async () => {
  const { fleet, host } = { fleet: bench().fleet, host: bench().host("a") };
  await bench().startAll();
  expect(await fleet.vipctl(host, ["who-owns", "nope", ...socketArgs()])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("there is web"),
  });
  expect(await fleet.vipctl(host, ["who-owns"])).toMatchObject({ code: 2 });
  expect(await fleet.vipctl(host, ["who-owns", "web", "--store", "sqlite:/nowhere/at/all.db"])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("/nowhere/at/all.db"),
  });
  expect(await fleet.vipctl(host, ["who-owns", "web", "--socket", join(fleet.directory, "none.sock")])).toMatchObject({
    code: 69,
    stderr: expect.stringContaining("no daemon listens"),
  });
});

test("without its daemon vipctl reads the store that the configuration names, and says so", async () => {
  const { fleet } = bench();
  const [a, b] = await bench().startAll();
  a?.signal("SIGTERM");
  await a?.ended;
  await b?.holds();
  const { code, stdout, stderr } = await fleet.vipctl(bench().host("a"), [
    "who-owns",
    "web",
    "--config",
    fleet.configFile(bench().host("a")),
  ]);
  expect(stderr).toContain("read straight from the store");
  expect(stdout).toContain("held by b");
  expect(code).toBe(0);
});

test("a daemon that cannot reach its store says so, with exit code 3", async () => {
  const { fleet } = bench();
  const [, b] = await bench().startAll();
  renameSync(join(fleet.directory, "store"), join(fleet.directory, "away"));
  await b?.until("knows that the store is gone", (status) => !status.store.ok);
  const { code, stderr } = await fleet.vipctl(bench().host("b"), ["who-owns", "web", ...socketArgs("b")]);
  expect(stderr).toContain("the store cannot be reached");
  expect(code).toBe(3);
});

test("status is a table of VIPs, nodes and candidates; step-down elsewhere says where; history tells why; version names the daemon", async () => {
  const { fleet } = bench();
  await bench().startAll();
  const status = await fleet.vipctl(bench().host("a"), ["status", ...socketArgs()]);
  expect(status.stdout).toMatch(/web +10\.77\.0\.50\/24 2001:db8:77::50\/64 +a +.*b 180/u);
  expect(status.stdout).toMatch(/^a +.*alive/mu);
  const wrong = await fleet.vipctl(bench().host("b"), ["step-down", "web", ...socketArgs("b")]);
  expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("a does") });
  const right = await fleet.vipctl(bench().host("a"), ["step-down", "web", ...socketArgs("a")]);
  expect(right).toMatchObject({ code: 0, stdout: expect.stringContaining("held by b now") });
  const history = await fleet.vipctl(bench().host("a"), ["history", "web", ...storeArgs()]);
  expect(history.stdout).toMatch(/ a +b +\d+ .* step-down was requested/u);
  const version = await fleet.vipctl(bench().host("a"), ["version", ...socketArgs()]);
  expect(version.stdout).toMatch(/vipd +0\.1\.0 \(node a, pid \d+\)/u);
});

test("--watch tells an ownership change when it happens", async () => {
  const { fleet } = bench();
  const [a, b] = await bench().startAll();
  const lines: string[] = [];
  const watching = fleet.vipctl(
    bench().host("b"),
    ["who-owns", "web", "--watch", "--json", ...socketArgs("b")],
    (text) => lines.push(...text.trim().split("\n")),
  );
  const holders = (): readonly unknown[] => lines.map((line) => (JSON.parse(line) as { holder: unknown }).holder);
  await expect.poll(holders, { timeout: 5_000 }).toEqual(["a"]);
  await a?.admin.stepDown({ election: "web", to: null }, { timeoutMs: 2_000 });
  await expect.poll(holders, { timeout: 5_000 }).toContain("b");
  await b?.kill();
  await watching;
});

test("doctor: a sound host has no failure; a damaged one is told what and how to fix it", async () => {
  const { fleet } = bench();
  await bench().startAll();
  const host = bench().host("a");
  const sound = await fleet.vipctl(host, ["doctor", "--config", fleet.configFile(host)]);
  expect(sound.stdout).not.toContain("FAILURE");
  for (const line of [
    /^ok +config/mu,
    /^ok +daemon +vipd 0\.1\.0 runs/mu,
    /^ok +store +answers within/mu,
    /^ok +kernel +netdev fence/mu,
    /^ok +network +web: eth0 is up/mu,
  ])
    expect(sound.stdout).toMatch(line);
  expect(sound.code).toBe(0);
  expect(host.namespace.exec("nft", "list", "tables")).not.toContain("doctor");
  bench().lan.client.namespace.exec("ip", "address", "add", `${VIP}/24`, "dev", "eth0");
  renameSync(join(fleet.directory, "store"), join(fleet.directory, "away"));
  const broken = await fleet.vipctl(host, ["doctor", "--config", fleet.configFile(host)]);
  expect(broken.stdout).toMatch(/^FAILURE +store .*fleet\.db.*\n +-> /mu);
  expect(broken.code).toBe(1);
  const json = await fleet.vipctl(host, ["doctor", "--json", "--config", join(fleet.directory, "none.yaml")]);
  expect(JSON.parse(json.stdout)).toContainEqual(expect.objectContaining({ about: "config", level: "failure" }));
});

// SIGHUP: what can be taken on is, what cannot is told, and a bad file changes nothing.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { knock } from "./harness/knock.ts";
import { oneVip, VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);
const MAIL = "  mail:\n    interface: eth0\n    addresses: [10.77.0.60/24]\n";

test("a VIP that is added is raced for, one that is removed is let go, the others do not move", async () => {
  const { fleet, recorder, now } = bench();
  const host = bench().host("a");
  const a = fleet.start(host, { vips: oneVip(200) });
  await a.holds();
  const from = now();
  fleet.configure(host, { vips: oneVip(200) + MAIL });
  a.signal("SIGHUP");
  await a.holds("mail");
  expect(bench().isBound(host, "10.77.0.60")).toBe(true);
  fleet.configure(host, { vips: oneVip(200) });
  a.signal("SIGHUP");
  await expect.poll(() => bench().isBound(host, "10.77.0.60"), { timeout: 5_000 }).toBe(false);
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
});

test("an address is added to a held VIP, and taken off it, in place: nothing is let go that stays", async () => {
  const { fleet, recorder, now } = bench();
  const [host, other] = [bench().host("a"), bench().host("b")];
  const addresses = (...more: readonly string[]): string =>
    `  web:\n    interface: eth0\n    addresses: [${[`${VIP}/24`, ...more].join(", ")}]\n`;
  const a = fleet.start(host, { vips: `${addresses()}    priority: 200\n` });
  const { elections } = await a.holds();
  const b = fleet.start(other, { vips: addresses() });
  await b.backs();
  const from = now();
  fleet.configure(host, { vips: `${addresses("10.77.0.60/24")}    priority: 200\n` });
  a.signal("SIGHUP");
  await expect.poll(() => bench().isBound(host, "10.77.0.60"), { timeout: 5_000 }).toBe(true);
  await expect.poll(() => knock(bench().lan.client, "10.77.0.60"), { timeout: 10_000 }).toContain("refused");
  fleet.configure(host, { vips: `${addresses()}    priority: 200\n` });
  a.signal("SIGHUP");
  await expect.poll(() => bench().isBound(host, "10.77.0.60"), { timeout: 5_000 }).toBe(false);
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
  const after = await a.until("still holds it", (seen) => seen.elections[0]?.role === "holder");
  expect(after.elections[0]?.token).toBe(elections[0]?.token);
  expect(a.log()).not.toMatch(/somebody removed|released: |lost: /u);
});

test("a changed prefix is changed in place, and nobody is blamed for the removal", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const a = fleet.start(host, { vips: "  web:\n    interface: eth0\n    addresses: [10.77.0.50/24]\n" });
  const { elections } = await a.holds();
  fleet.configure(host, { vips: "  web:\n    interface: eth0\n    addresses: [10.77.0.50/25]\n" });
  a.signal("SIGHUP");
  const shown = (): string => host.namespace.exec("ip", "-4", "-o", "address", "show", "dev", "eth0");
  await expect.poll(shown, { timeout: 5_000 }).toMatch(/10\.77\.0\.50\/25/u);
  expect(shown()).not.toContain("10.77.0.50/24");
  const after = await a.until("still holds it", (seen) => seen.elections[0]?.role === "holder");
  expect(after.elections[0]?.token).toBe(elections[0]?.token);
  expect(a.log()).not.toMatch(/somebody removed|released: |lost: /u);
});

test("a changed address replaces the old one", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const a = fleet.start(host, { vips: oneVip(200) });
  await a.holds();
  fleet.configure(host, { vips: "  web:\n    interface: eth0\n    addresses: [10.77.0.51/24]\n" });
  a.signal("SIGHUP");
  await a.until(
    "holds the new address",
    (status) => status.elections[0]?.role === "holder" && status.elections[0].addresses.includes("10.77.0.51/24"),
  );
  await expect.poll(() => bench().isBound(host, "10.77.0.51"), { timeout: 5_000 }).toBe(true);
  expect(bench().isBound(host, VIP)).toBe(false);
});

test("a bad file is refused with its place and what would be right; the running state stays", async () => {
  const { fleet, recorder, now } = bench();
  const host = bench().host("a");
  const a = fleet.start(host, { vips: oneVip(200) });
  await a.holds();
  const from = now();
  writeFileSync(
    fleet.configFile(host),
    `store: ${fleet.store}\nvips:\n  web:\n    interface: eth0\n    adresses: [1.2.3.4/24]\n`,
  );
  a.signal("SIGHUP");
  await expect.poll(() => a.log(), { timeout: 5_000 }).toContain("the running configuration is kept");
  expect(a.log()).toContain("adresses");
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
});

test("what needs a restart is told, and not taken on", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const a = fleet.start(host, { vips: oneVip(200) });
  await a.holds();
  fleet.configure(host, { vips: oneVip(120), ttl: "5s" });
  a.signal("SIGHUP");
  const status = await a.until("has the new priority", (seen) => seen.elections[0]?.priority === 120);
  expect(status.ttlMs).toBe(1_000);
  expect(a.log()).toMatch(/"key":"ttl","from":"1s","to":"5s"|"key":"ttl","from":"1000ms","to":"5000ms"/u);
});

test("a hook that others may write to is refused with its place, and the running state stays", async () => {
  const { fleet, recorder, now } = bench();
  const host = bench().host("a");
  const a = fleet.start(host, { vips: oneVip(200) });
  await a.holds();
  const from = now();
  const script = join(fleet.directory, "hook.sh");
  writeFileSync(script, "#!/bin/sh\n");
  chmodSync(script, 0o777);
  fleet.configure(host, { vips: oneVip(200, `    hooks: { onMaster: [${script}] }\n`) });
  a.signal("SIGHUP");
  await expect.poll(() => a.log(), { timeout: 5_000 }).toContain("the running configuration is kept");
  expect(a.log()).toMatch(/vips\.web\.hooks\.onMaster: would not be run: all may write to \S+hook\.sh: chmod go-w/u);
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
});

test("the hooks of a VIP that a reload brings are told that this node stands by, and of its end when it goes again", async () => {
  const { fleet } = bench();
  const [a, b] = [bench().host("a"), bench().host("b")];
  const [script, notes] = [join(fleet.directory, "notify.sh"), join(fleet.directory, "notes")];
  writeFileSync(script, `#!/bin/sh\necho "$VIPD_ELECTION $VIPD_STATE" >> ${notes}\n`, { mode: 0o755 });
  writeFileSync(notes, "");
  const holder = fleet.start(a, { vips: oneVip(200) + MAIL });
  await holder.holds("mail");
  const extra = `hooks: { notify: [${script}] }`;
  const backup = fleet.start(b, { vips: oneVip(100), extra });
  await backup.backs();
  const told = (): readonly string[] => readFileSync(notes, "utf8").trim().split("\n");
  await expect.poll(told, { timeout: 5_000 }).toEqual(["web BACKUP"]);
  fleet.configure(b, { vips: oneVip(100) + MAIL, extra });
  backup.signal("SIGHUP");
  await expect.poll(told, { timeout: 5_000 }).toEqual(["web BACKUP", "mail BACKUP"]);
  fleet.configure(b, { vips: oneVip(100), extra });
  backup.signal("SIGHUP");
  await expect.poll(told, { timeout: 5_000 }).toEqual(["web BACKUP", "mail BACKUP", "mail STOP"]);
});

test("what the host refused to take on is tried again at the next SIGHUP", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const a = fleet.start(host, { vips: oneVip(200) });
  await a.holds();
  // For a while the fence cannot be changed: another program owns a table of vipd's name.
  const nft = spawn("ip", ["netns", "exec", host.namespace.name, "nft", "-i"], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  try {
    nft.stdin.write("add table inet vipd-nat { flags owner; }\n");
    const isThere = (): boolean => host.namespace.exec("nft", "list", "tables").includes("vipd-nat");
    await expect.poll(isThere, { timeout: 5_000 }).toBe(true);
    fleet.configure(host, { vips: oneVip(200) + MAIL });
    a.signal("SIGHUP");
    await expect.poll(() => a.log(), { timeout: 5_000 }).toContain("the running configuration is kept");
  } finally {
    nft.stdin.end();
    await once(nft, "exit");
  }
  a.signal("SIGHUP");
  await a.holds("mail");
});

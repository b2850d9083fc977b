// vipd's arguments: what it answers by itself, and what is left to do.

import type { Refusal } from "../../../src/base/command.ts";
import { expect, test } from "vitest";
import { handleVipdArguments, type VipdInvocation } from "../../../src/cli/vipd-arguments.ts";
import { VIPD_EXIT_CODES } from "../../../src/cli/exit-codes.ts";
import { jsonSchema } from "../../../src/config/schema.ts";
import { CONFIG, Desk, GOOD_CONFIG } from "./desk.ts";

function vipd(desk: Desk, ...argv: readonly string[]): Promise<VipdInvocation> {
  return handleVipdArguments(argv, desk.deps);
}

test("nothing to answer: run, with the configuration that was named", async () => {
  const desk = new Desk();
  expect(await vipd(desk)).toEqual({ kind: "run", configFile: CONFIG });
  expect(await vipd(desk, "-c", "/tmp/a.yaml")).toEqual({ kind: "run", configFile: "/tmp/a.yaml" });
  expect(await vipd(desk, "--config", "/tmp/a.yaml")).toEqual({ kind: "run", configFile: "/tmp/a.yaml" });
  expect(desk.out.text + desk.err.text).toBe("");
});

test("--check of a good file says what it configures", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 0 });
  expect(desk.out.text).toBe(`${CONFIG}: no mistakes (node lb1, fleet main, 1 VIP)\n`);
});

test("--check tells every mistake with its place, and steers no terminal", async () => {
  const desk = new Desk();
  desk.files.set("/a.yaml", 'store: nowhere\nttl: 3\nvips: {}\n"\\e[2Jx": 1\n');
  expect(await vipd(desk, "--check", "-c", "/a.yaml")).toEqual({ kind: "exit", code: 78 });
  expect(desk.err.lines.map((line) => /^\/a\.yaml:(\d)/u.exec(line)?.[1])).toEqual(["1", "2", "4", undefined]);
  expect(desk.err.lines.at(-1)).toBe("3 mistakes in /a.yaml");
  expect(desk.err.text).not.toMatch(/[^\P{Cc}\n]/u);
});

test("--check of no file: 78", async () => {
  const desk = new Desk();
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 78 });
  expect(desk.err.text).toBe(`cannot read ${CONFIG}: there is no such file; name another with --config\n`);
});

test("--print-schema prints the schema", async () => {
  const desk = new Desk();
  expect(await vipd(desk, "--print-schema")).toEqual({ kind: "exit", code: 0 });
  expect(JSON.parse(desk.out.text)).toEqual(JSON.parse(JSON.stringify(jsonSchema())));
});

test("help tells signals and every exit code; --version the version", async () => {
  const desk = new Desk();
  expect(await vipd(desk, "--help")).toEqual({ kind: "exit", code: 0 });
  for (const [code, meaning] of VIPD_EXIT_CODES) expect(desk.out.text).toContain(`${code}  ${meaning}`);
  expect(desk.out.text).toContain("HUP");
  const other = new Desk();
  expect(await vipd(other, "-V")).toEqual({ kind: "exit", code: 0 });
  expect(other.out.text).toBe("0.1.0\n");
});

test.each([["--chek"], ["extra"], ["--config"], ["--check", "--print-schema"]])(
  "%s %s are wrong arguments: exit 2",
  async (...argv) => {
    const desk = new Desk();
    expect(await vipd(desk, ...argv)).toEqual({ kind: "exit", code: 2 });
    expect(desk.err.text).toMatch(/^error: /u);
    expect(desk.out.text).toBe("");
  },
);

test("--check tells what should be fixed, and is content all the same", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, "store: redis://me:hush@h\nvips:\n  web: { interface: eth7, addresses: [10.0.0.10/24] }\n");
  desk.exposed.set(CONFIG, { othersRead: true, othersWrite: true });
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 0 });
  expect(desk.err.lines).toEqual([
    `warning: others may read ${CONFIG}, which holds the password of the store; chmod o-rwx ${CONFIG}`,
    `warning: others may write to ${CONFIG}, the configuration; chmod go-w ${CONFIG}`,
    "warning: vips.web: this host has no interface eth7: the VIP stands back until there is one; make it, or use one of lo, eth0, eth1",
  ]);
  expect(desk.out.text).toContain("no mistakes");
});

test("--check refuses a store whose directory the start could not make", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG.replace("/var/lib/vipd/fleet.db", "/srv/vipd/fleets/main.db"));
  desk.missing.add("/srv/vipd/fleets");
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 0 });
  desk.missing.add("/srv/vipd");
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 78 });
  expect(desk.err.lines[0]).toBe(
    `${CONFIG}:2:8: store: there is no directory /srv/vipd, in which /srv/vipd/fleets could be made; correct the path, or run: mkdir -p /srv/vipd`,
  );
});

test("--check accepts a store beside the state directory: the start makes that with all above it", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, `stateDir: /srv/vipd/state\n${GOOD_CONFIG.replace("/var/lib/vipd", "/srv/vipd/fleets")}`);
  for (const path of ["/srv/vipd/state", "/srv/vipd/fleets", "/srv/vipd"]) desk.missing.add(path);
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 0 });
});

test("--check tells which keys have no effect without a lease, also when they say the default", async () => {
  const desk = new Desk();
  const idle = "spread: all, minHold: 10s, lastResort: keep";
  const vrrp = `election: vrrp, vrrp: { id: 51 }, ${idle}`;
  desk.files.set(
    CONFIG,
    `vips:\n  web: { interface: eth0, addresses: [10.0.0.10/24], ${vrrp} }\n  mail: { interface: eth0, addresses: [10.0.0.11/24], election: vrrp, vrrp: { id: 52 } }\n`,
  );
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 0 });
  expect(desk.err.lines).toEqual(
    ["spread", "minHold", "lastResort"].map(
      (key) => `warning: vips.web.${key} has no effect with election: vrrp; remove it, or use election: lease`,
    ),
  );
});

test("--check warns of a leftover on another interface", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  const place = { family: 4, ip: "10.0.0.10", prefix: 32, interface: "eth1" } as const;
  const left = { ...place, ours: false, permanent: true, secondary: false, keepalived: true };
  desk.network = { links: ["eth0", "eth1"], addresses: [left] };
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 0 });
  expect(desk.err.lines).toEqual([
    "warning: 10.0.0.10/32 is on eth1 already: keepalived has bound it, and vipd leaves alone what is on another interface than the VIP's; stop keepalived and run: ip address delete 10.0.0.10/32 dev eth1",
  ]);
});

test("--check refuses a state directory that the start would refuse, also the one that the file does not name", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  desk.files.set("/b.yaml", `stateDir: /srv/v\n${GOOD_CONFIG}`);
  for (const path of ["/var/lib/vipd", "/srv/v"])
    desk.distrusted.set(path, { problem: "may be written to by others (mode 777)", fix: `chmod go-w ${path}` });
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 78 });
  expect(await vipd(desk, "--check", "-c", "/b.yaml")).toEqual({ kind: "exit", code: 78 });
  expect(desk.err.lines.filter((line) => line.includes("stateDir"))).toEqual([
    `${CONFIG}:2:1: stateDir: /var/lib/vipd may be written to by others (mode 777); chmod go-w /var/lib/vipd`,
    "/b.yaml:1:11: stateDir: /srv/v may be written to by others (mode 777); chmod go-w /srv/v",
  ]);
});

test("--check may be run where the kernel does not tell: that is told", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  desk.exposed.set(CONFIG, { othersRead: true, othersWrite: false });
  desk.network = new Error("no netlink here");
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 0 });
  expect(desk.err.lines).toEqual([
    "warning: this host's addresses could not be looked at: no netlink here; check again as root",
  ]);
});

test("--check tells of an address that keepalived has left, and refuses the host's own", async () => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  const own = { family: 4, ip: "10.0.0.1", prefix: 24, interface: "eth0", ours: false, permanent: true } as const;
  const left = { ...own, ip: "10.0.0.10", secondary: true, keepalived: false };
  desk.network = { links: ["eth0"], addresses: [{ ...own, secondary: false, keepalived: false }, left] };
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 0 });
  expect(desk.err.text).toMatch(/^warning: 10\.0\.0\.10\/24 is on eth0 already: another program, such as keepalived/u);
  const other = new Desk();
  other.files.set(CONFIG, GOOD_CONFIG);
  other.network = { links: ["eth0"], addresses: [{ ...left, secondary: false }] };
  expect(await vipd(other, "--check")).toEqual({ kind: "exit", code: 78 });
  expect(other.err.text).toMatch(/10\.0\.0\.10 is this host's own address/u);
});

test("--check tells which commands would not be run on this host, each at its place", async () => {
  const desk = new Desk();
  const checks = "checks:\n  nginx:\n    script: [/etc/check, x]\n    recover: { run: [systemctl, restart, nginx] }\n";
  const vip = "checks: [nginx], hooks: { onMaster: [/etc/to-master], user: nobody }";
  const all = "hooks: { onMaster: [/etc/a], onBackup: [/etc/b], user: ghost }\n";
  desk.files.set(CONFIG, `${checks}${GOOD_CONFIG.replace("] }", `], ${vip} }`)}${all}`);
  const asked: unknown[] = [];
  const refusalOf = (command: { argv: readonly string[]; user: string | null }): Promise<Refusal | undefined> => {
    const { argv, user } = command;
    asked.push([argv[0], user]);
    const why = user === "ghost" ? "there is no user ghost" : `there is no program ${argv[0]}`;
    return Promise.resolve(argv[0] === "systemctl" ? undefined : { why, isUser: user === "ghost" });
  };
  expect(await handleVipdArguments(["--check"], { ...desk.deps, refusalOf })).toEqual({ kind: "exit", code: 78 });
  expect(asked).toEqual([
    ["/etc/check", null],
    ["systemctl", null],
    ["/etc/a", "ghost"],
    ["/etc/b", "ghost"],
    ["/etc/to-master", "nobody"],
  ]);
  expect(desk.err.lines).toEqual([
    expect.stringMatching(
      /:3:13: checks\.nginx\.script: would not be run: there is no program \/etc\/check; make it, executable and writable by root only, or/u,
    ),
    expect.stringMatching(/hooks\.onMaster: would not be run: there is no program \/etc\/to-master; /u),
    expect.stringMatching(/: hooks\.user: there is no user ghost; make the account, or name another$/u),
    `3 mistakes in ${CONFIG}`,
  ]);
});

test("--check reads the files with secrets and certificates that the file names", async () => {
  const desk = new Desk();
  const checks = "checks: { tls: { http: https://h/, caFile: /ca.pem } }\n";
  const told =
    "webhook: { url: https://h/, secretFile: /key }\nmail: { host: h, from: a@b, to: [a@b], user: u, passwordFile: /pw }\n";
  desk.files.set(CONFIG, `${checks}${told}${GOOD_CONFIG.replace("] }", "], checks: [tls] }")}`);
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  desk.secrets.set("/ca.pem", text("-----BEGIN PRIVATE KEY-----\n")).set("/pw", text("\n"));
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 78 });
  expect(desk.err.lines).toEqual([
    `${CONFIG}:1:44: checks.tls.caFile: /ca.pem holds no certificate in PEM form; give the certificates of the CAs`,
    `${CONFIG}:2:41: webhook.secretFile: /key cannot be read: there is no such file; make it, or name another`,
    `${CONFIG}:3:63: mail.passwordFile: /pw is empty; write the secret into it`,
    `3 mistakes in ${CONFIG}`,
  ]);
  desk.secrets.set("/ca.pem", text("-----BEGIN CERTIFICATE-----\n")).set("/pw", text("hush\n")).set("/key", "EACCES");
  for (const path of ["/pw", "/ca.pem"]) desk.exposed.set(path, { othersRead: true, othersWrite: false });
  desk.err.text = "";
  expect(await vipd(desk, "--check")).toEqual({ kind: "exit", code: 0 });
  expect(desk.err.lines).toEqual([
    "warning: webhook.secretFile: /key cannot be read: permission denied; check again as root",
    "warning: others may read /pw, which holds the password of the mail server; chmod o-rwx /pw",
  ]);
});

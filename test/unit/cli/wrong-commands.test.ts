// Wrong command lines, as users type them: each is refused with its exit code, and words that name what is wrong and what
// would be right; no stack and no client shows through.

import { expect, test } from "vitest";
import { EXIT, type ExitCode } from "../../../src/cli/exit-codes.ts";
import { handleVipdArguments } from "../../../src/cli/vipd-arguments.ts";
import { runVipctl } from "../../../src/cli/vipctl.ts";
import { openStore } from "../../../src/stores/index.ts";
import { CONFIG, Desk, GOOD_CONFIG, STORE } from "./desk.ts";

const VIPD_HELP = "vipd --help tells what there is";
const VIPCTL_HELP = "vipctl --help tells what there is, vipctl help <command> more";
const NAME = "Use 1 to 63 letters, digits";

/** A command line, its exit code, and all that its words must hold. */
type Case = readonly [line: string, code: ExitCode, ...told: readonly string[]];

const CASES: readonly Case[] = [
  ["vipd --chek", EXIT.usage, "unknown option '--chek'", "Did you mean --check?", VIPD_HELP],
  ["vipd check", EXIT.usage, "Expected 0 arguments but got 1: check", VIPD_HELP],
  ["vipd -c", EXIT.usage, "'-c, --config <file>' argument missing", VIPD_HELP],
  ["vipd --config=", EXIT.usage, "'-c, --config <file>'", "It is empty: give a value, or leave the option out"],
  ["vipd --check --print-schema", EXIT.usage, "'--check' cannot be used with option '--print-schema'"],
  ["vipd -f /etc/vipd.yaml", EXIT.usage, "unknown option '-f'", VIPD_HELP],
  [
    "vipd --check -c /none.yaml",
    EXIT.config,
    "cannot read /none.yaml: there is no such file; name another with --config",
  ],

  ["vipctl", EXIT.usage, "Usage: vipctl", "who-owns"],
  ["vipctl stats", EXIT.usage, "unknown command 'stats'", "Did you mean status?", VIPCTL_HELP],
  ["vipctl failover web", EXIT.usage, "unknown command 'failover'", VIPCTL_HELP],
  ["vipctl help nope", EXIT.usage, "unknown command 'nope'", VIPCTL_HELP],
  ["vipctl help vrrp lisen", EXIT.usage, "unknown command 'lisen'", "Did you mean listen?"],
  ["vipctl --json status", EXIT.usage, "unknown option '--json'", "options follow the command: vipctl --help"],
  ["vipctl -c /x status", EXIT.usage, "unknown option '-c'", "options follow the command"],
  ["vipctl who-owns", EXIT.usage, "missing required argument 'vip'", VIPCTL_HELP],
  ["vipctl who-owns a b", EXIT.usage, "Expected 1 argument but got 2: a, b", VIPCTL_HELP],
  ["vipctl who-owns nope", EXIT.usage, 'no VIP or election "nope" in the fleet main: there is web'],
  ["vipctl who-owns 10.0.0.300", EXIT.usage, 'no VIP or election "10.0.0.300" in the fleet main: there is web'],
  ["vipctl who-owns web --watch --verify", EXIT.usage, "'--watch' cannot be used with option '--verify'"],
  [
    "vipctl status web",
    EXIT.usage,
    "too many arguments for 'status'. Expected 0 arguments but got 1: web",
    VIPCTL_HELP,
  ],
  ["vipctl status --jsn", EXIT.usage, "unknown option '--jsn'", "Did you mean --json?"],
  ["vipctl status --store", EXIT.usage, "'--store <url>' argument missing"],
  ["vipctl status --store=", EXIT.usage, "'--store <url>'", "It is empty: give a value, or leave the option out"],
  ["vipctl status --store mysql://me@h", EXIT.config, "mysql://***@h names no known store: use one of sqlite:, etcd:"],
  [
    "vipctl status --store /var/lib/x.db",
    EXIT.config,
    "/var/lib/x.db names no known store: write sqlite:/var/lib/x.db",
  ],
  [
    "vipctl status --store 10.0.0.5:2379",
    EXIT.config,
    "10.0.0.5:2379 names no known store: write etcd://10.0.0.5:2379",
  ],
  ["vipctl status --store http://a:2379,b:2379", EXIT.config, "names no known store: write etcd://a:2379,b:2379"],
  ["vipctl status --store r1:6379", EXIT.config, "names no known store: write redis://r1:6379"],
  ["vipctl status --store sqlite:/etc", EXIT.store, "/etc: is a directory: name a file in it"],
  ["vipctl status --store sqlite:x.db", EXIT.config, "names no file by an absolute path: write one such as sqlite:/"],
  ["vipctl status --store redis://h:99999", EXIT.config, "the store URL has the port 99999: use 1 to 65535"],
  [
    "vipctl status --store redis://me:hush@h",
    EXIT.config,
    "--store has a password, which ps shows",
    "VIPD_STORE_PASSWORD",
  ],
  ["vipctl status --store etcd://h?compact=x", EXIT.config, "has compact=x: use auto or off"],
  ["vipctl status --store sqlite:/nowhere/x.db", EXIT.store, "/nowhere/x.db: its directory does not exist: make it"],
  ["vipctl status --fleet x", EXIT.usage, "'--fleet <name>' needs '--store <url>': a daemon knows its own fleet only"],
  [`vipctl status --store ${STORE} --fleet a/b`, EXIT.usage, "'--fleet <name>' argument 'a/b' is invalid", NAME],
  [
    `vipctl status --store ${STORE} --socket /s`,
    EXIT.usage,
    "'--store <url>' cannot be used with option '--socket <path>'",
  ],
  ["vipctl status --config /none.yaml", EXIT.config, "cannot read /none.yaml: there is no such file; name another"],
  ["vipctl status --config=", EXIT.usage, "'-c, --config <file>'", "It is empty: give a value"],
  [
    "vipctl status --socket /none.sock",
    EXIT.unavailable,
    "no daemon listens at /none.sock; name the store with --store",
  ],
  [
    "vipctl step-down web --socket /none.sock",
    EXIT.unavailable,
    "no daemon listens at /none.sock: start it, such as with systemctl start vipd, or name its socket with --socket",
  ],
  ["vipctl checks --socket /none.sock", EXIT.unavailable, "no daemon listens at /none.sock: start it"],
  ["vipctl maintenance --socket /none.sock", EXIT.unavailable, "no daemon listens at /none.sock: start it"],
  ["vipctl step-down", EXIT.usage, "missing required argument 'vip'", VIPCTL_HELP],
  ["vipctl step-down nope", EXIT.usage, 'no VIP or election "nope" in the fleet main: there is web'],
  ["vipctl step-down web --to", EXIT.usage, "'--to <node>' argument missing"],
  ["vipctl step-down web --to a/b", EXIT.usage, "'--to <node>' argument 'a/b' is invalid", NAME],
  [`vipctl step-down web --store ${STORE}`, EXIT.usage, "unknown option '--store'", VIPCTL_HELP],
  ["vipctl step-down web --to web1", EXIT.no, "web1 holds web itself: give one of web2"],
  [
    "vipctl history web --limit 0",
    EXIT.usage,
    "'--limit <count>' argument '0' is invalid",
    "a whole number, 1 or more",
  ],
  ["vipctl history web --limit ten", EXIT.usage, "'--limit <count>' argument 'ten' is invalid"],
  ["vipctl checks web", EXIT.usage, "Expected 0 arguments but got 1: web"],
  [`vipctl checks --store ${STORE}`, EXIT.usage, "unknown option '--store'", VIPCTL_HELP],
  ["vipctl maintenance nope", EXIT.usage, 'no VIP or election "nope" in the fleet main: there is web'],
  ["vipctl maintenance web --reason=", EXIT.usage, "'--reason <text>'", "It is empty: give a value"],
  ["vipctl repair", EXIT.usage, "missing required argument 'vip'"],
  ["vipctl repair web --config=", EXIT.usage, "'-c, --config <file>'", "It is empty: give a value"],
  ["vipctl repair web --socket /s", EXIT.usage, "unknown option '--socket'", VIPCTL_HELP],
  ["vipctl repair web --yes --store sqlite:/nowhere/x.db", EXIT.store, "/nowhere/x.db: its directory does not exist"],
  ["vipctl forget", EXIT.usage, "missing required argument 'node'"],
  ["vipctl forget a/b", EXIT.usage, "'node'", NAME],
  ["vipctl forget lb2 -c /none.yaml", EXIT.config, "cannot read /none.yaml: there is no such file"],
  [
    `vipctl forget lb2 -c /x --store ${STORE}`,
    EXIT.usage,
    "'--store <url>' cannot be used with option '-c, --config <file>'",
  ],
  ["vipctl vrrp", EXIT.usage, "Usage: vipctl vrrp", "listen"],
  ["vipctl vrrp lisen", EXIT.usage, "unknown command 'lisen'", "Did you mean listen?"],
  ["vipctl vrrp listen eth0 eth1", EXIT.usage, "Expected 1 argument but got 2: eth0, eth1"],
  ["vipctl vrrp listen --interface eth0", EXIT.usage, "unknown option '--interface'"],
  ["vipctl vrrp listen --for 5", EXIT.usage, "--for 5 is not a duration up to 1h; write one such as 10s"],
  ["vipctl vrrp listen --for 2h", EXIT.usage, "--for 2h is not a duration up to 1h"],
  ["vipctl vrrp listen --for=", EXIT.usage, "'--for <duration>'", "It is empty: give a value"],
  ["vipctl realserver", EXIT.usage, "Usage: vipctl realserver", "show"],
  ["vipctl realserver up", EXIT.usage, "missing required argument 'vip'"],
  ["vipctl realserver up web", EXIT.no, "this node is a candidate for web (vips.web), and cannot be its real server"],
  ["vipctl realserver up nope", EXIT.usage, "nope is no name below realServers:, and no address"],
  [
    "vipctl realserver up 10.0.0.60",
    EXIT.usage,
    "name the interface on which the director's packets for 10.0.0.60 arrive",
  ],
  [
    "vipctl realserver up 10.0.0.60/32 --interface eth0",
    EXIT.usage,
    "has a prefix length, and on lo each address is alone: write 10.0.0.60",
  ],
  [
    "vipctl realserver up 10.0.0.60 --interface lo",
    EXIT.usage,
    "lo is where the address is put: name the interface on which the director's packets arrive",
  ],
  [
    "vipctl realserver up 10.0.0.60 --interface=",
    EXIT.usage,
    "It must be the name of a network interface, such as eth0",
  ],
  ["vipctl realserver down --all", EXIT.usage, "unknown option '--all'"],
  ["vipctl realserver show web", EXIT.usage, "Expected 0 arguments but got 1: web"],
  ["vipctl realserver add 10.0.0.60", EXIT.usage, "unknown command 'add'"],
  ["vipctl history", EXIT.usage, "missing required argument 'vip'"],
  ["vipctl maintenance a b", EXIT.usage, "Expected 1 argument but got 2: a, b"],
  ["vipctl maintenance --reason", EXIT.usage, "'--reason <text>' argument missing"],
  ["vipctl resume --force", EXIT.usage, "unknown option '--force'", VIPCTL_HELP],
  ["vipctl doctor web", EXIT.usage, "Expected 0 arguments but got 1: web"],
];

test.each(CASES.map(([line, code, ...told]) => ({ line, code, told })))("$line", async ({ line, code, told }) => {
  const desk = new Desk();
  desk.files.set(CONFIG, GOOD_CONFIG);
  desk.daemon();
  expect(await run(desk, line.split(" "))).toBe(code);
  for (const words of told) expect(desk.err.text).toContain(words);
  expect(desk.err.text).not.toMatch(/^\s+at |ENOENT|undefined|\[object|Error:|hush/mu);
  expect(desk.out.text).toBe("");
});

/** As the program would: stores are opened for what their URLs are worth. */
async function run(desk: Desk, [program, ...argv]: readonly string[]): Promise<ExitCode> {
  const open = async (url: string, readOnly: boolean): Promise<never> => {
    await (await openStore(url, { readOnly, mustExist: true })).close();
    throw new Error("a wrong command line opens no store");
  };
  const openFleet = (url: string): Promise<never> => open(url, true);
  const openFleetToWrite = (url: string): Promise<never> => open(url, false);
  const deps = { ...desk.deps, openFleet, openFleetToWrite };
  if (program === "vipctl") return runVipctl(argv, deps);
  const result = await handleVipdArguments(argv, deps);
  if (result.kind !== "exit") throw new Error("a wrong command line runs no daemon");
  return result.code;
}

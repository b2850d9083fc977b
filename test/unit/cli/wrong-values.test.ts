// Values as users write them who know other programs better, or are in a hurry: checks, hooks, routes, virtual routers and the
// rest. Each is refused with exit 78, its place, and words that put it right.

import { test } from "vitest";
import { refuses } from "./wrong-file.ts";

const BASE = "store: sqlite:/s.db\nvips:\n  web:\n    interface: eth0\n    addresses: [10.0.0.10/24]\n";

/** The mistake, what stands where it is, where it is (line:column), and what of the words must not be missing. */
type Case = readonly [what: string, written: string, place: string, told: string];

/** Below the VIP: line 6. */
const VIPS: readonly Case[] = [
  [
    "a route of ip(8)",
    "routes: [10.9.0.0/16 via 10.0.0.1]",
    "6:14",
    "write it as a group, such as { destination: 10.9.0.0/16, via: 10.0.0.1 }",
  ],
  [
    "a router as gateway",
    "routes: [{ destination: default, gateway: 10.0.0.1 }]",
    "6:38",
    "routes[0].gateway: is not a known key; gateway is 'via' here",
  ],
  ["an interface as dev", "routes: [{ destination: 10.9.0.0/16, dev: eth0 }]", "6:42", "dev is 'interface' here"],
  ["a blackhole", "routes: [{ blackhole: 10.9.0.0/16 }]", "6:16", "blackhole is 'type' here"],
  ["a rule of ip(8)", "rules: [{ from: 10.0.0.10, lookup: 100, preference: 9 }]", "6:32", "lookup is 'table' here"],
  [
    "keepalived's preference",
    "rules: [{ from: 10.0.0.10, table: 100, preference: 9 }]",
    "6:44",
    "preference is 'priority' here",
  ],
  [
    "a rule in words",
    "rules: [from 10.0.0.10 table 100]",
    "6:13",
    'rules[0]: is the text "from 10.0.0.10 table 100"; use a group with keys',
  ],
  ["keepalived's use_vmac", "use_vmac: true", "6:5", "keepalived's use_vmac is 'virtualMac' here: true, or { id: 51 }"],
  ["yes for a virtual MAC", "virtualMac: yes", "6:17", 'virtualMac: is the text "yes"; write true'],
  ["a MAC for a virtual MAC", "virtualMac: 00:00:5e:00:01:33", "6:17", "use true, or { id: 51 }"],
  [
    "a virtual MAC without an id",
    "virtualMac: true",
    "6:17",
    "has no id to make the MAC of; give one: virtualMac: { id: 51 }",
  ],
  ["several groups to spread over", "spread: [a, b]", "6:13", "spread: is a list; use 1 to 63 letters"],
  ["a negative minHold", "minHold: -5s", "6:14", 'minHold: "-5s" is not a duration; use a number with its unit'],
  ["a last resort of one's own", "lastResort: never", "6:17", 'lastResort: is the text "never"; use keep or drop'],
  [
    "announcements as a number",
    "announce: 5",
    "6:15",
    "announce: is the number 5; give a group with keys among burst, repeatAfter, refresh",
  ],
  ["a hook as a text", "hooks: { notify: /etc/vipd/notify --all }", "6:22", "write a list: [/etc/vipd/notify, --all]"],
  [
    "hooks as a list",
    "hooks: [/bin/true]",
    "6:12",
    "hooks: is a list; give a group with keys among onMaster, onBackup",
  ],
  [
    "a hook of keepalived",
    "hooks: { notify_master: [/bin/true] }",
    "6:14",
    "keepalived's notify_master is 'hooks: { onMaster }' here",
  ],
  [
    "a hook's time without unit",
    "hooks: { notify: [/bin/true], timeout: 30 }",
    "6:44",
    "hooks.timeout: 30 has no unit; 30 -> 30s",
  ],
  [
    "a virtual router as a number",
    "vrrp: 51",
    "6:11",
    "vrrp: is the number 51; give a group with keys among id, version",
  ],
  ["keepalived's id", "vrrp: { virtual_router_id: 51 }", "6:13", "keepalived's virtual_router_id is 'id' here"],
  [
    "keepalived's password",
    "vrrp: { id: 51, auth_type: PASS }",
    "6:21",
    "keepalived's auth_type is 'authentication' here",
  ],
  [
    "one peer without its brackets",
    "vrrp: { id: 51, unicastPeers: 10.0.0.2 }",
    "6:35",
    "write it as a list: [10.0.0.2]",
  ],
  [
    "a peer with its prefix",
    "vrrp: { id: 51, unicastPeers: [10.0.0.2/24] }",
    "6:36",
    "use an address without a prefix length, such as 10.0.0.2",
  ],
  [
    "a priority of VRRP out of range",
    "vrrp: { id: 51, priority: 300 }",
    "6:31",
    "vrrp.priority: 300 is more than 254; use 1 to 254",
  ],
  [
    "VRRP's third version in words",
    "vrrp: { id: 51, version: v3 }",
    "6:30",
    'version: is the text "v3"; use a whole number from 2 to 3',
  ],
  [
    "a key of VRRP as a group",
    "vrrp: { id: 51, version: 3, hmac: { keys: { id: 1, secret: hush } } }",
    "6:47",
    "hmac.keys: is a group of keys; give a list, such as [{ id: 1, secretFile: /etc/vipd/vrrp.key }]",
  ],
  [
    "a key of VRRP as a text",
    "vrrp: { id: 51, version: 3, hmac: { keys: hush } }",
    "6:47",
    "hmac.keys: is a string; give a list, such as",
  ],
  [
    "a file of a key that is missing",
    "vrrp: { id: 51, version: 3, hmac: { keys: [{ id: 1, secretFile: /nope }] } }",
    "6:69",
    "hmac.keys[0].secretFile: /nope cannot be read: there is no such file",
  ],
  ["one check without its brackets", "checks: nginx", "6:13", "write it as a list: [nginx]"],
  [
    "a slip in a check's weight",
    "checks: [{ check: nginx, wieght: 5 }]",
    "6:30",
    "checks[0].wieght: is not a known key; did you mean weight?",
  ],
  [
    "a check that is a group of itself",
    "checks: { nginx: 5 }",
    "6:13",
    "checks: is a group of keys; give a list, such as [nginx]",
  ],
];

test.each(VIPS)("%s", async (_what, written, place, told) => {
  await refuses(`${BASE}    ${written}\n`, place, told);
});

/** What a check is, in line 2. */
const CHECKS: readonly Case[] = [
  ["a check that looks at nothing", "", "2:3", "checks.c: looks at nothing; give it one of script, http"],
  [
    "an empty check",
    "~",
    "2:6",
    "checks.c: is empty; say what it looks at, such as { http: http://127.0.0.1/healthz }",
  ],
  ["a check as a list", "[curl, localhost]", "2:6", "checks.c: is a list; say what it looks at"],
  [
    "a recovery as a text",
    "{ tcp: 'h:80', recover: systemctl restart nginx }",
    "2:30",
    "write { run: [systemctl, restart, nginx] }",
  ],
  [
    "a recovery as a list",
    "{ tcp: 'h:80', recover: [service, nginx, restart] }",
    "2:30",
    "write { run: [service, nginx, restart] }",
  ],
  [
    "a recovery without command",
    "{ tcp: 'h:80', recover: { tries: 3 } }",
    "2:21",
    "recover.run: is missing; give a list of the program and its arguments",
  ],
  [
    "no status",
    "{ http: 'http://h/', status: [] }",
    "2:35",
    "status: is an empty list; name a status, such as 200-399",
  ],
  [
    "headers as a list",
    "{ http: 'http://h/', headers: [Host] }",
    "2:36",
    "headers: is a list; give a group of names and values, such as { Host: example.org }",
  ],
  [
    "a header that is a number",
    "{ http: 'http://h/', headers: { X-A: 5 } }",
    "2:43",
    "headers.X-A: is the number 5; use a text, in quotes",
  ],
  ["IPv6 without brackets", "{ tcp: '::1:80' }", "2:13", "use one such as 127.0.0.1:80 or [::1]:80"],
  [
    "CAs that are not there",
    "{ http: 'https://h/', caFile: /nope.pem }",
    "2:36",
    "checks.c.caFile: /nope.pem cannot be read: there is no such file; make it, or name another",
  ],
  [
    "a gateway with its prefix",
    "{ gateway: 10.0.0.1/24, via: eth0 }",
    "2:17",
    "gateway: is no address; use one such as 10.0.0.1",
  ],
  [
    "a check of keepalived",
    "{ vrrp_script: /bin/true }",
    "2:8",
    "keepalived's vrrp_script is a name below 'checks:' here",
  ],
];

test.each(CHECKS)("%s", async (_what, written, place, told) => {
  await refuses(
    `checks:\n  c: ${written === "" ? "{ interval: 1s }" : written}\n${BASE}    checks: [c]\n`,
    place,
    told,
  );
});

/** Whole lines, behind the VIP: line 6. */
const TOP: readonly Case[] = [
  [
    "checks as a list",
    "checks: [{ name: nginx }]",
    "6:9",
    "is a list of checks; name each check and remove its '-', such as nginx: {http:",
  ],
  [
    "real servers as a list",
    "realServers: [10.0.0.50]",
    "6:14",
    "is a list of real servers; name each real server and remove its '-', such as web: {addresses: [10.0.0.50]",
  ],
  [
    "a real server's interface",
    "realServers: { w: { addresses: [10.0.0.50], interfaces: eth0 } }",
    "6:57",
    "write it as a list: [eth0]",
  ],
  [
    "a webhook as a text",
    "webhook: https://example.org/hook",
    "6:10",
    'webhook: is the text "https://example.org/hook"; give a group with keys among url',
  ],
  [
    "a webhook's key that is missing",
    "webhook: { url: https://h/, secretFile: /nope }",
    "6:41",
    "webhook.secretFile: /nope cannot be read: there is no such file",
  ],
  ["one receiver without its brackets", "mail: { host: h, from: a@b, to: c@d }", "6:33", "write it as a list: [c@d]"],
  [
    "no sender",
    "mail: { host: h, to: [c@d] }",
    "6:1",
    "mail.from: is missing; give a mail address such as admin@example.org",
  ],
  [
    "a mail host with its port",
    "mail: { host: smtp://mx.example.org:587, from: a@b, to: [c@d] }",
    "6:15",
    "write host: mx.example.org, and port: 587 beside it",
  ],
  [
    "a login without password",
    "mail: { host: h, user: u, from: a@b, to: [c@d] }",
    "6:24",
    "mail.user: has no password; name the file with the password",
  ],
  [
    "a password without login",
    "mail: { host: h, passwordFile: /pw, from: a@b, to: [c@d] }",
    "6:32",
    "mail.passwordFile: is of no use without user:; add user:",
  ],
  [
    "keepalived's receivers",
    "notification_email: [a@b]",
    "6:1",
    "keepalived's notification_email is 'mail: { to }' here",
  ],
  ["keepalived's router_id", "router_id: lb1", "6:1", "keepalived's router_id is 'node' here"],
];

test.each(TOP)("%s", async (_what, written, place, told) => {
  await refuses(`${BASE}${written}\n`, place, told);
});

const ADDRESSES: readonly Case[] = [
  [
    "an address of ip(8)",
    "[10.0.0.9/24 dev eth1 label eth1:web]",
    "5:17",
    'write { address: 10.0.0.9/24, interface: eth1, label: "eth1:web" }',
  ],
  ["a netmask", "[10.0.0.9/255.255.255.0]", "5:17", '"10.0.0.9/255.255.255.0" has a netmask; write 10.0.0.9/24'],
  ["a netmask that is none", "[10.0.0.9/255.0.255.0]", "5:17", "has no valid prefix length; use 0 to 32 after the '/'"],
];

test.each(ADDRESSES)("%s", async (_what, written, place, told) => {
  await refuses(BASE.replace("[10.0.0.10/24]", written), place, told);
});

const STORES: readonly Case[] = [
  ["a server without scheme", "10.0.0.5:2379", "1:8", "store: is not a store URL; write etcd://10.0.0.5:2379"],
  [
    "a server of Redis without scheme",
    "r1.example.org:6379",
    "1:8",
    "names no known store (r1.example.org:); write redis://r1.example.org:6379",
  ],
  ["a variable", "${STORE}", "1:8", "store: names a variable, and vipd fills in none; write the URL itself"],
  [
    "a text with a line end",
    "|\n  sqlite:/s.db",
    "1:8",
    "store: holds a line end or a control character; write the URL behind store: on one line",
  ],
];

test.each(STORES)("%s", async (_what, written, place, told) => {
  await refuses(BASE.replace("sqlite:/s.db", written), place, told);
});

test("a VIP that is only its address", async () => {
  await refuses(
    "store: sqlite:/s.db\nvips:\n  web: 10.0.0.10/24\n",
    "3:8",
    "write it as a group: { interface: eth0, addresses: [10.0.0.10/24] }",
  );
});

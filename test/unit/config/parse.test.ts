// Configuration files: what they may say, and how each mistake is told.

import { describe, expect, test } from "vitest";
import { STORE_ADAPTERS } from "../../../src/stores/index.ts";
import { CONTEXT, MINIMAL, mistakes, parse, withVip } from "./files.ts";

const SCHEMES = STORE_ADAPTERS.flatMap(({ schemes }) => schemes.map((scheme) => `${scheme}:`)).join(", ");

describe("a good file", () => {
  test("needs little, and gets every default", () => {
    expect(parse(MINIMAL)).toEqual({
      node: "web1",
      fleet: "main",
      store: "sqlite:/s.db",
      ttlMs: 3000,
      stateDir: "/var/lib/vipd",
      admin: { socket: "/run/vipd/vipd.sock", group: null },
      log: { level: "info", format: "auto" },
      fence: "auto",
      startupDelayMs: 0,
      checks: [],
      webhook: null,
      mail: null,
      realServers: [],
      vips: [
        {
          name: "web",
          addresses: [{ family: 4, ip: "10.0.0.10", prefix: 24, interface: "eth0" }],
          priority: 100,
          preempt: true,
          preemptDelayMs: 5000,
          minHoldMs: 0,
          probeIntervalMs: 0,
          spread: null,
          announce: { burst: 5, repeatAfterMs: 5000, refreshMs: 60_000 },
          checks: [],
          lastResort: "keep",
          hooks: [],
        },
      ],
    });
  });

  test("accepts a value for every key", () => {
    const config = parse(`
node: a.example
fleet: blue
store: sqlite:/var/lib/vipd/fleet.db
ttl: 1.5s
stateDir: /srv/vipd
admin: { socket: /tmp/v.sock, group: 4 }
log: { level: debug, format: json }
fence: inet
vips:
  web:
    interface: eth0
    addresses: [10.0.0.10/24, "2001:DB8::0010/64", {address: 10.0.1.1/32, interface: eth1, label: "eth1:web"}]
    priority: 254
    preempt: false
    preemptDelay: 0s
    announce: { burst: 1, repeatAfter: 0s, refresh: 0s }
`);
    expect(config).toMatchObject({
      node: "a.example",
      fleet: "blue",
      ttlMs: 1500,
      admin: { group: "4" },
      fence: "inet",
    });
    expect(config.vips[0]).toMatchObject({
      addresses: [
        { family: 4, ip: "10.0.0.10", interface: "eth0" },
        { family: 6, ip: "2001:db8::10", prefix: 64, interface: "eth0" },
        { family: 4, ip: "10.0.1.1", prefix: 32, interface: "eth1", label: "eth1:web" },
      ],
      preemptDelayMs: 0,
      announce: { burst: 1, repeatAfterMs: 0, refreshMs: 0 },
    });
  });

  test("may merge groups: own keys win, then those of the group that is named first", () => {
    const config = parse(`
store: sqlite:/s.db
vips:
  a: &a {interface: eth0, addresses: [10.0.0.1/24], priority: 10}
  b: &b {<<: *a, addresses: [10.0.0.2/24], preempt: false}
  c: {<<: [*b, *a], addresses: [10.0.0.3/24], preemptDelay: 1s}
`);
    expect(config.vips.map(({ priority, preempt, addresses }) => [priority, preempt, addresses[0]?.ip])).toEqual([
      [10, true, "10.0.0.1"],
      [10, false, "10.0.0.2"],
      [10, false, "10.0.0.3"],
    ]);
  });

  test("may use anchors, and may have no VIP at all", () => {
    const file = `store: sqlite:/s.db\nvips:\n  a: {interface: &i eth0, addresses: [10.0.0.1/24]}\n  b: {interface: *i, addresses: [10.0.0.2/24]}\n`;
    expect(parse(file).vips.map((vip) => vip.addresses[0]?.interface)).toEqual(["eth0", "eth0"]);
    expect(parse("store: sqlite:/s.db\nvips: {}").vips).toEqual([]);
  });
});

describe("one mistake is told with its place and what would be right", () => {
  const CASES: readonly (readonly [what: string, file: string, told: string])[] = [
    ["a bare number for a duration", `ttl: 3000\n${MINIMAL}`, "1:6: ttl: 3000 has no unit; 3000 -> 3s"],
    ["a small bare number", `ttl: 3\n${MINIMAL}`, "1:6: ttl: 3 has no unit; 3 -> 3s"],
    ["a unit nobody knows", `ttl: 3 seconds\n${MINIMAL}`, '1:6: ttl: "3 seconds" is not a duration; write 3s'],
    [
      "no duration at all",
      `ttl: soon\n${MINIMAL}`,
      '1:6: ttl: "soon" is not a duration; use a number with its unit (ms, s, m or h), such as 500ms, 3s or 1m',
    ],
    ["a lease below every floor", `ttl: 100ms\n${MINIMAL}`, "1:6: ttl: is shorter than 200ms; use 200ms to 10m"],
    [
      "a lease below the store's floor",
      `ttl: 300ms\n${MINIMAL}`,
      "1:6: ttl: is shorter than a store on SQLite can keep (500ms); use 500ms or more",
    ],
    ["a lease above the bound", `ttl: 1h\n${MINIMAL}`, "1:6: ttl: is longer than 10m; use 200ms to 10m"],
    ["a slip in a key", `flet: x\n${MINIMAL}`, "1:1: flet: is not a known key; did you mean fleet?"],
    ["another style of key", `state_dir: /x\n${MINIMAL}`, "1:1: state_dir: is not a known key; did you mean stateDir?"],
    [
      "a key in the wrong group",
      withVip("interface: eth0\naddresses: [10.0.0.1/8]\nburst: 3"),
      "6:5: vips.web.burst: is not a key of this group; it belongs below announce:",
    ],
    [
      "keepalived's words",
      withVip("interface: eth0\naddresses: [10.0.0.1/8]\nnopreempt: true"),
      "6:5: vips.web.nopreempt: is not a known key; keepalived's nopreempt is 'preempt: false' here",
    ],
    [
      "an address without a prefix",
      withVip("interface: eth0\naddresses: [10.0.0.10]"),
      '5:17: vips.web.addresses[0]: "10.0.0.10" has no prefix length; add that of the network, such as 10.0.0.10/24',
    ],
    [
      "a prefix that is too long",
      withVip("interface: eth0\naddresses: [10.0.0.10/33]"),
      `5:17: vips.web.addresses[0]: "10.0.0.10/33" has no valid prefix length; use 0 to 32 after the '/'`,
    ],
    [
      "no address at all",
      withVip("interface: eth0\naddresses: [web.example]"),
      '5:17: vips.web.addresses[0]: "web.example" is not an address in CIDR form; use an address with its prefix length, such as 10.0.0.10/24 or 2001:db8::10/64',
    ],
    [
      "a loopback address",
      withVip("interface: lo\naddresses: [127.0.0.1/8]"),
      "5:17: vips.web.addresses[0]: is a loopback address; use a unicast address of a host",
    ],
    [
      "a network's address",
      withVip("interface: eth0\naddresses: [10.0.0.0/24]"),
      "5:17: vips.web.addresses[0]: is the network's own or its broadcast address; use a unicast address of a host",
    ],
    [
      "an address given twice",
      withVip('interface: eth0\naddresses: ["2001:db8::1/64", "2001:DB8:0::1/64"]'),
      "5:35: vips.web.addresses[1]: 2001:db8::1 stands at vips.web.addresses[0] already; keep one of the two",
    ],
    [
      "no interface",
      withVip("addresses: [10.0.0.1/8]"),
      "3:3: vips.web.interface: is missing; name the interface, such as interface: eth0",
    ],
    [
      "an interface's name that is too long",
      withVip("interface: abcdefghijklmnop\naddresses: [10.0.0.1/8]"),
      "4:16: vips.web.interface: is 16 bytes long; keep it within 15 bytes, the kernel's limit",
    ],
    [
      "a label of another interface",
      withVip("interface: eth0\naddresses: [{address: 10.0.0.1/8, label: 'br0:1'}]"),
      `5:46: vips.web.addresses[0].label: does not begin with "eth0"; begin it with the interface's name, such as eth0:0`,
    ],
    [
      "a label that is too long",
      withVip("interface: eth0\naddresses: [{address: 10.0.0.1/8, label: 'eth0:0123456789a'}]"),
      "5:46: vips.web.addresses[0].label: is 16 bytes long; keep it within 15 bytes, the kernel's limit",
    ],
    [
      "a label on IPv6",
      withVip("interface: eth0\naddresses: [{address: '2001:db8::1/64', label: 'eth0:1'}]"),
      "5:52: vips.web.addresses[0].label: is for IPv4 addresses only; remove it",
    ],
    [
      "a slip in an address's key",
      withVip("interface: eth0\naddresses: [{adress: 10.0.0.1/8, address: 10.0.0.1/8}]"),
      "5:18: vips.web.addresses[0].adress: is not a known key; did you mean address?",
    ],
    [
      "no addresses",
      withVip("interface: eth0"),
      "3:3: vips.web.addresses: is missing; give a list, such as [10.0.0.10/24]",
    ],
    [
      "an empty list",
      withVip("interface: eth0\naddresses: []"),
      "5:16: vips.web.addresses: is an empty list; give at least one address",
    ],
    [
      "a priority out of range",
      withVip("interface: eth0\naddresses: [10.0.0.1/8]\npriority: 255"),
      "6:15: vips.web.priority: 255 is more than 254; use 1 to 254",
    ],
    [
      "a quoted number",
      withVip("interface: eth0\naddresses: [10.0.0.1/8]\npriority: '100'"),
      '6:15: vips.web.priority: is the text "100", not a number; remove the quotes',
    ],
    [
      "yes for true",
      withVip("interface: eth0\naddresses: [10.0.0.1/8]\npreempt: yes"),
      '6:14: vips.web.preempt: is the text "yes"; write true',
    ],
    ["an empty group", `admin:\n${MINIMAL}`, "1:7: admin: is empty; give a group with keys among socket, group"],
    [
      "a socket that is no path",
      `admin: {socket: vipd.sock}\n${MINIMAL}`,
      "1:17: admin.socket: is not an absolute path; begin it with '/', such as /run/vipd/vipd.sock",
    ],
    [
      "a word of no choice",
      `fence: iptables\n${MINIMAL}`,
      '1:8: fence: is the text "iptables"; use auto, netdev or inet',
    ],
    [
      "a bad name of a VIP",
      "store: sqlite:/s.db\nvips:\n  -web-: {interface: eth0, addresses: [10.0.0.1/8]}",
      "3:3: vips.-web-: is not a name; use 1 to 63 letters, digits, '.', '_' or '-', beginning and ending with a letter or digit",
    ],
    [
      "a bad name of the node",
      `node: a b\n${MINIMAL}`,
      "1:7: node: is not a name; use 1 to 63 letters, digits, '.', '_' or '-', beginning and ending with a letter or digit",
    ],
    ["no store", "vips: {}", "1:1: store: is missing; give the URL of a store, such as sqlite:/var/lib/vipd/fleet.db"],
    [
      "an unknown store",
      "store: mysql://db\nvips: {}",
      `1:8: store: names no known store (mysql:); use one of ${SCHEMES}`,
    ],
    ["a path for a store", "store: /x.db\nvips: {}", "1:8: store: is not a store URL; write sqlite:/x.db"],
    [
      "a relative path",
      "store: sqlite:x.db\nvips: {}",
      "1:8: store: names no file by an absolute path; write one such as sqlite:/var/lib/vipd/fleet.db",
    ],
    [
      "a store's port out of range",
      "store: etcd://a:2379,b:99999\nvips: {}",
      "1:8: store: has the port 99999; use 1 to 65535",
    ],
    [
      "a store's unknown option",
      "store: redis://h?minReplica=1\nvips: {}",
      "1:8: store: has an unknown option minReplica; use one of ca, cert, key, passwordFile, sentinelPasswordFile, minReplicas",
    ],
    [
      "a store's number out of range",
      "store: redis://h?minReplicas=200\nvips: {}",
      "1:8: store: has minReplicas=200; use a whole number from 0 to 100",
    ],
    ["no VIPs", "store: sqlite:/s.db", "1:1: vips: is missing; name each VIP below it, or write 'vips: {}' for none"],
    ["an empty file", "", "1:1: the file is empty; begin with store: and vips:, see vipd.yaml(5)"],
    [
      "a list at the top",
      "- a",
      "1:1: the file is a list; remove the '-': begin with store: and vips:, see vipd.yaml(5)",
    ],
    ["a key given twice", `ttl: 3s\nttl: 4s\n${MINIMAL}`, "2:1: this key stands here twice; keep one of the two"],
    [
      "a second document",
      `${MINIMAL}\n---\na: 1`,
      "6:1: a second YAML document begins here; keep one document and remove '---'",
    ],
  ];

  test.each(CASES)("%s", (_what, file, told) => {
    expect(mistakes(file)).toEqual([`vipd.yaml:${told}`]);
  });

  test("a host name that cannot be the node's name", () => {
    expect(mistakes(MINIMAL, { ...CONTEXT, hostName: "web_" })).toEqual([
      `vipd.yaml:1:1: node: is missing, and the host name "web_" cannot stand in for it; give a name: 1 to 63 letters, digits, '.', '_' or '-', beginning and ending with a letter or digit`,
    ]);
  });
});

test("all mistakes come at once, in the order of the file", () => {
  const file = `flet: x
ttl: 3000
store: sqlite:/s.db
vips:
  web:
    addresses: [10.0.0.10, 10.0.0.11/24, 10.0.0.11/24]
    priority: high
`;
  expect(mistakes(file).map((line) => line.split("; ")[0])).toEqual([
    "vipd.yaml:1:1: flet: is not a known key",
    "vipd.yaml:2:6: ttl: 3000 has no unit",
    "vipd.yaml:5:3: vips.web.interface: is missing",
    'vipd.yaml:6:17: vips.web.addresses[0]: "10.0.0.10" has no prefix length',
    "vipd.yaml:6:42: vips.web.addresses[2]: 10.0.0.11 stands at vips.web.addresses[1] already",
    'vipd.yaml:7:15: vips.web.priority: is the text "high"',
  ]);
});

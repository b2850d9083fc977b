// VIPs that are elected by VRRP, as the file has them.

import { expect, test } from "vitest";
import type { BoundAddress } from "../../../src/ports/host.ts";
import { OWN } from "../node/vrrp-node.ts";
import { CONTEXT, mistakes, parse } from "./files.ts";

const file = (lines: string, more = ""): string =>
  `vips:\n  web:\n    interface: eth0\n    addresses: [10.0.0.50/24]\n    election: vrrp\n${lines.replaceAll(/^/gmu, "    ")}\n${more}`;

test("a file of VRRP alone needs no store, and has keepalived's defaults", () => {
  const { store, vips } = parse(file("vrrp: { id: 51 }"));
  expect(store).toBeNull();
  expect(vips[0]?.vrrp).toEqual({
    kind: "vrrp",
    interface: "eth0",
    vrid: 51,
    version: 2,
    intervalMs: 1_000,
    priority: null,
    authentication: { kind: "none" },
    keyFiles: [],
    unicastPeers: [],
    source: null,
    farewellWaitMs: null,
  });
});

test("reads every key", () => {
  const lines =
    "vrrp: { id: 51, version: 2, interval: 2s, priority: 150, authentication: secret, unicastPeers: [10.0.0.2], source: 10.0.0.1, farewellWait: 40ms }";
  expect(parse(file(lines)).vips[0]?.vrrp).toMatchObject({
    intervalMs: 2_000,
    priority: 150,
    authentication: { kind: "password", password: "secret" },
    unicastPeers: ["10.0.0.2"],
    source: "10.0.0.1",
    farewellWaitMs: 40,
  });
});

const KEY = "0123456789abcdef0123456789abcdef";

test("reads keys that sign adverts, those of the file and the names of others'", () => {
  const lines = `vrrp: { id: 51, version: 3, hmac: { keys: [{ id: 0, secretFile: /k }, { id: 7, secret: ${KEY} }], send: 7, window: 10s } }`;
  expect(parse(file(lines)).vips[0]?.vrrp).toMatchObject({
    authentication: {
      kind: "hmac",
      keys: [{ id: 7, secret: new TextEncoder().encode(KEY) }],
      sendKeyId: 7,
      windowS: 10,
    },
    keyFiles: [{ id: 0, path: "/k", index: 0 }],
  });
});

test("signs with the first key, and gives clocks five seconds, unless told otherwise", () => {
  const lines = `vrrp: { id: 51, hmac: { keys: [{ id: 3, secret: ${KEY} }, { id: 7, secret: ${KEY} }] } }`;
  expect(parse(file(lines)).vips[0]?.vrrp?.authentication).toMatchObject({ sendKeyId: 3, windowS: 5 });
});

test("a leased VIP with a virtual router is one of a mixed fleet", () => {
  const text = `store: sqlite:/s.db\n${file("vrrp: { id: 51 }").replace("    election: vrrp\n", "")}`;
  expect(parse(text).vips[0]?.vrrp?.kind).toBe("lease+vrrp");
});

test("an IPv6 address is kept in its canonical form, and IPv4 and IPv6 have ids of their own", () => {
  const other =
    '  six:\n    interface: eth0\n    addresses: ["2001:db8::50/64"]\n    election: vrrp\n    vrrp: { id: 51, version: 3, unicastPeers: ["2001:DB8:0::2"] }\n';
  expect(parse(file("vrrp: { id: 51 }", other)).vips[1]?.vrrp?.unicastPeers).toEqual(["2001:db8::2"]);
});

const LEASED = "  db:\n    interface: eth0\n    addresses: [10.0.0.51/24]\n";

const CASES: readonly (readonly [what: string, file: string, told: string])[] = [
  [
    "a leased VIP beside it needs a store",
    file("vrrp: { id: 51 }", LEASED),
    "1:1: store: is missing; give the URL of a store, such as sqlite:/var/lib/vipd/fleet.db",
  ],
  [
    "no virtual router",
    file(""),
    "2:3: vips.web.vrrp: is missing; describe the virtual router, such as vrrp: { id: 51 }",
  ],
  ["id 0", file("vrrp: { id: 0 }"), "6:17: vips.web.vrrp.id: 0 is less than 1; use 1 to 255"],
  ["id 256", file("vrrp: { id: 256 }"), "6:17: vips.web.vrrp.id: 256 is more than 255; use 1 to 255"],
  [
    "one id twice on an interface",
    file("vrrp: { id: 51 }", `${LEASED}    election: vrrp\n    vrrp: { id: 51 }\n`),
    "11:17: vips.db.vrrp.id: 51 is the id of vips.web on eth0 already; give each virtual router of an interface an id of its own",
  ],
  [
    "the owner's priority",
    file("vrrp: { id: 51, priority: 255 }"),
    "6:31: vips.web.vrrp.priority: 255 is for the router that has the addresses as its own for ever, and vipd's come and go; use 254, and 254 at most on the others",
  ],
  [
    "keys beside a password",
    file(`vrrp: { id: 51, authentication: secret, hmac: { keys: [{ id: 1, secret: ${KEY} }] } }`),
    "6:51: vips.web.vrrp.hmac: stands beside authentication: a router has one of them; remove one",
  ],
  [
    "no keys",
    file("vrrp: { id: 51, hmac: { keys: [] } }"),
    "6:35: vips.web.vrrp.hmac.keys: is an empty list; give a key, or remove hmac",
  ],
  [
    "a key that is too short",
    file("vrrp: { id: 51, hmac: { keys: [{ id: 1, secret: short }] } }"),
    "6:53: vips.web.vrrp.hmac.keys[0].secret: has 5 bytes; use 32 to 64 bytes, such as those of: openssl rand -hex 32",
  ],
  [
    "a key in two places",
    file(`vrrp: { id: 51, hmac: { keys: [{ id: 1, secret: ${KEY}, secretFile: /k }] } }`),
    "6:36: vips.web.vrrp.hmac.keys[0]: has a key and names a file, too; give one of secret and secretFile",
  ],
  [
    "a key in no place",
    file("vrrp: { id: 51, hmac: { keys: [{ id: 1 }] } }"),
    "6:36: vips.web.vrrp.hmac.keys[0]: has no key; give one of secret and secretFile",
  ],
  [
    "a key's number twice",
    file("vrrp: { id: 51, hmac: { keys: [{ id: 1, secretFile: /a }, { id: 1, secretFile: /b }] } }"),
    "6:69: vips.web.vrrp.hmac.keys[1].id: 1 is the number of a key before; use another one",
  ],
  [
    "a key's number beyond a byte",
    file("vrrp: { id: 51, hmac: { keys: [{ id: 256, secretFile: /a }] } }"),
    "6:42: vips.web.vrrp.hmac.keys[0].id: 256 is more than 255; use 0 to 255",
  ],
  [
    "a key to sign with that is none",
    file("vrrp: { id: 51, hmac: { keys: [{ id: 1, secretFile: /a }, { id: 2, secretFile: /b }], send: 3 } }"),
    "6:97: vips.web.vrrp.hmac.send: there is no key 3; use one of 1, 2",
  ],
  [
    "a window of half seconds",
    file("vrrp: { id: 51, hmac: { keys: [{ id: 1, secretFile: /a }], window: 1500ms } }"),
    "6:72: vips.web.vrrp.hmac.window: is not a whole number of seconds; use 2s",
  ],
  [
    "an interval that version 2 cannot carry",
    file("vrrp: { id: 51, interval: 1.5s }"),
    "6:31: vips.web.vrrp.interval: version 2 carries whole seconds only; use 2s, or version: 3 on all routers",
  ],
  [
    "an interval that version 3 cannot carry",
    file("vrrp: { id: 51, version: 3, interval: 105ms }"),
    "6:43: vips.web.vrrp.interval: version 3 carries hundredths of a second only; use 110ms",
  ],
  [
    "an interval too long for version 3",
    file("vrrp: { id: 51, version: 3, interval: 60s }"),
    "6:43: vips.web.vrrp.interval: is longer than version 3 can carry (40950ms); use 40s or less",
  ],
  [
    "an interval that the fence cannot keep",
    file("vrrp: { id: 51, version: 3, interval: 50ms }"),
    "6:43: vips.web.vrrp.interval: is shorter than 100ms; use 100ms to 255s",
  ],
  [
    "a password in version 3",
    file("vrrp: { id: 51, version: 3, authentication: secret }"),
    "6:49: vips.web.vrrp.authentication: is for version 2 only: version 3 has no passwords; use hmac (keepalived 2.4), version: 2, or neither",
  ],
  [
    "a password over 8 bytes",
    file("vrrp: { id: 51, authentication: verylongsecret }"),
    "6:37: vips.web.vrrp.authentication: is 14 bytes long, and VRRP carries 8: keepalived cuts it there, too; write its first 8 bytes",
  ],
  [
    "IPv6 with version 2",
    file("vrrp: { id: 51 }").replace("10.0.0.50/24", '"2001:db8::50/64"'),
    "6:11: vips.web.vrrp: version 2 has no IPv6, and the first address of the VIP is one; write version: 3",
  ],
  [
    "a peer of another family",
    file('vrrp: { id: 51, unicastPeers: ["2001:db8::2"] }'),
    "6:36: vips.web.vrrp.unicastPeers[0]: is not IPv4, as the first address of the VIP is; give the IPv4 address of that host",
  ],
  [
    "a peer that is this host",
    file("vrrp: { id: 51, unicastPeers: [10.0.0.1], source: 10.0.0.1 }"),
    "6:36: vips.web.vrrp.unicastPeers[0]: is this host itself; name the other routers only",
  ],
  [
    "an interface that is none of Ethernet",
    file("vrrp: { id: 51 }").replace("eth0", "lo"),
    "3:16: vips.web.interface: lo is no Ethernet interface, which VRRP needs; name the one that the VIP is to be on",
  ],
  [
    "an address's interface that is none of Ethernet",
    file("vrrp: { id: 51 }")
      .replace("    interface: eth0\n", "")
      .replace("[10.0.0.50/24]", "[{ address: 10.0.0.50/24, interface: lo }]"),
    "3:53: vips.web.addresses[0].interface: lo is no Ethernet interface, which VRRP needs; name the one that the VIP is to be on",
  ],
  [
    "a peer that is the VIP",
    file("vrrp: { id: 51, unicastPeers: [10.0.0.50] }"),
    "6:36: vips.web.vrrp.unicastPeers[0]: is an address of the VIP, which moves; give the address that the host has for itself",
  ],
  [
    "a peer given twice",
    file("vrrp: { id: 51, unicastPeers: [10.0.0.2, 10.0.0.2] }"),
    "6:46: vips.web.vrrp.unicastPeers[1]: stands in this list already; keep one of the two",
  ],
  [
    "no peers",
    file("vrrp: { id: 51, unicastPeers: [] }"),
    "6:35: vips.web.vrrp.unicastPeers: is an empty list; name the other routers, or remove it for multicast",
  ],
  [
    "a peer that is a group",
    file("vrrp: { id: 51, unicastPeers: [224.0.0.18] }"),
    "6:36: vips.web.vrrp.unicastPeers[0]: 224.0.0.18 is not the address of a host on the network; use an address without a prefix length, such as 10.0.0.2",
  ],
  [
    "a source of another family",
    file('vrrp: { id: 51, source: "2001:db8::2" }'),
    "6:29: vips.web.vrrp.source: is not IPv4, as the first address of the VIP is; give one of that family",
  ],
  [
    "keepalived's words",
    file("vrrp: { id: 51, auth_pass: x }"),
    "6:21: vips.web.vrrp.auth_pass: is not a known key; keepalived's auth_pass is 'authentication' here",
  ],
];

test.each(CASES)("%s", (_, text, told) => {
  expect(mistakes(text)).toEqual([`vipd.yaml:${told}`]);
});

test("a peer that is this host by its addresses is told; what vipd has bound there is none", () => {
  const text = file("vrrp: { id: 51, unicastPeers: [10.0.0.2, 10.0.0.3] }");
  const bound = (ip: string, ours: boolean): BoundAddress => ({ ...OWN, ip, ours });
  const host = { addresses: [bound("10.0.0.2", false), bound("10.0.0.3", true)] };
  expect(mistakes(text, { ...CONTEXT, host })).toEqual([
    "vipd.yaml:6:36: vips.web.vrrp.unicastPeers[0]: is this host itself; name the other routers only",
  ]);
});

test("a password is never shown", () => {
  expect(mistakes(file("vrrp: { id: 51, authentication: verylongsecret }")).join()).not.toContain("verylong");
  const keys =
    "[{ id: 1, secret: verysecret }, { id: 1, secret: [verysecret] }, verysecret, { id: 2, secret: 7777777777 }]";
  expect(mistakes(file(`vrrp: { id: 51, hmac: { keys: ${keys} } }`)).join()).not.toMatch(/verysecret|7777/u);
});

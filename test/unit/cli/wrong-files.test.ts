// Wrong files, as users make them: each is refused with exit 78, its place, and words that put it right; no parser, library or
// stack shows through.

import { test } from "vitest";
import { refuses } from "./wrong-file.ts";

const STORE = "store: sqlite:/s.db\n";
const VIP = `${STORE}vips:\n  web:\n    interface: eth0\n`;
const GOOD = `${VIP}    addresses: [10.0.0.10/24]\n`;

/** What stands in the file, where the mistake is (line:column), and what of the words must not be missing. */
type Case = readonly [what: string, file: string | Buffer, place: string, told: string];

const OTHER_PROGRAMS: readonly Case[] = [
  ["nothing", "", "1:1", "the file is empty; begin with store: and vips:"],
  ["comments", "# later\n", "1:1", "the file holds nothing but comments; begin with store: and vips:"],
  [
    "keepalived.conf",
    "! keepalived\nvrrp_instance V {\n  state MASTER\n}\n",
    "1:1",
    "a configuration of keepalived; write it as YAML",
  ],
  [
    "keepalived.conf with globals",
    "global_defs {\n router_id a\n}\n",
    "1:1",
    "a configuration of keepalived; write it as YAML",
  ],
  [
    "a program",
    Buffer.concat([Buffer.from("7f454c460201010000", "hex"), Buffer.alloc(300, 7)]),
    "1:1",
    "a binary file; give the file that holds vipd's configuration",
  ],
  ["an archive", Buffer.from("1f8b0800000000000003cb48cdc9c9d751", "hex"), "1:1", "a binary file; give the file"],
  [
    "the store itself",
    Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(100)]),
    "1:1",
    "an SQLite database; give vipd's configuration, and name this file in it",
  ],
  [
    "UTF-16",
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(GOOD, "utf16le")]),
    "1:1",
    "text in UTF-16; save it as UTF-8",
  ],
  ["INI", "[vipd]\nstore = sqlite:/s.db\n", "1:1", "has [sections], as INI and TOML files do; write it as YAML"],
  ["shell variables", "STORE=sqlite:/s.db\n", "1:1", "writes its keys with '='; write them with ':'"],
  ["a key", "-----BEGIN PRIVATE KEY-----\nMIIB\n", "1:1", "is a certificate or a key; give the file"],
  ["a script", "#!/bin/sh\necho hi\n", "1:1", "is a script; give the file"],
  ["a web page", "<!DOCTYPE html>\n<html></html>\n", "1:1", "is HTML or XML; give the file"],
  [
    "a merge conflict",
    `<<<<<<< HEAD\n${GOOD}=======\n${GOOD}>>>>>>> b\n`,
    "1:1",
    "the marks of a merge conflict (<<<<<<<); keep one of the two sides",
  ],
  ["a word", "hello\n", "1:1", "the file has no keys; begin with store: and vips:"],
  ["a list", "- store: x\n", "1:1", "the file is a list; remove the '-'"],
];

const SYNTAX: readonly Case[] = [
  ["a stray }", `${GOOD}}\nttl: 3s\n`, "6:1", "a stray '}' closes nothing; remove it"],
  ["a stray ]", GOOD.replace("/24]", "/24]]"), "5:30", "a stray ']' closes nothing; remove it"],
  [
    "a list that is not closed",
    `${GOOD.replace("/24]", "/24")}ttl: 3s\n`,
    "6:1",
    "not closed, or the line is not indented below it; close every [ and {",
  ],
  [
    "a quote that is not closed",
    'store: "sqlite:/s.db\nvips: {}\n',
    "3:1",
    "a quote is opened and not closed; close it",
  ],
  ["a tab", `${STORE}vips:\n\tweb:\n`, "3:1", "a tab is used to indent; indent with spaces"],
  [
    "no space after ':'",
    "store:sqlite:/s.db\nvips: {}\n",
    "1:1",
    "the ': ' is missing after this key; write it as key: value, with a space",
  ],
  ["two ':' in a line", `${GOOD}    announce: burst: 3\n`, "6:15", "a second ':' makes this value a group"],
  [
    "a line that is indented too far",
    `${VIP}      addresses: [10.0.0.10/24]\n`,
    "4:16",
    "or the next line is indented below it; put the value in quotes, or indent the next line like this one",
  ],
  [
    "a line that is not indented far enough",
    `${VIP}   addresses: [10.0.0.10/24]\n`,
    "5:1",
    "indented neither like its neighbours nor below them; give all keys of a group the same number of spaces",
  ],
  [
    "an item that is indented unlike its neighbours",
    `${VIP}    addresses:\n      - 10.0.0.10/24\n     - 10.0.0.11/24\n`,
    "7:1",
    "this item is indented unlike the others of its list; put all '-' of the list below each other",
  ],
  [
    "a list on the line of its key",
    `${VIP}    addresses: - 10.0.0.10/24\n`,
    "5:16",
    "a '-' stands on the line of its key; begin the list on the next line",
  ],
  [
    "JSON without a comma",
    '{"store": "sqlite:/s.db" "vips": {}}\n',
    "1:11",
    "a ',' is missing before this, or a [ or { is not closed; separate the items",
  ],
  [
    "an instruction to a parser",
    `%YAML\n${GOOD}`,
    "1:1",
    "this line begins with %, as instructions to a YAML parser do",
  ],
  ["a star", `${GOOD}fleet: *\n`, "6:8", "a & or * names nothing; put a name behind it, or the value in quotes"],
  ["two anchors", `${GOOD}fleet: &a &b x\n`, "6:11", "this is not written as YAML; write key: value"],
  [
    "a space that is none",
    `${GOOD}    priority:\u00A0150\n`,
    "6:14",
    "this line has a character that only looks like a space (U+00A0); type a space in its place",
  ],
  [
    "spaces that are none before a key",
    `${GOOD}\u00A0\u00A0priority: 150\n`,
    "6:1",
    "has a character that only looks like a space (U+00A0); type a space in its place",
  ],
  [
    "typographic quotes",
    `${GOOD}    spread: \u201Call\u201D\n`,
    "6:13",
    "vips.web.spread: has a typographic quote (U+201C); type ' or \" in its place",
  ],
  [
    "a template that was not run",
    `${STORE}{% if lb %}\nvips: {}\n{% endif %}\n`,
    "2:1",
    "this line has a mark of a template that was not filled in; fill it in before vipd reads the file",
  ],
  ["two documents", `${GOOD}---\n${GOOD}`, "6:1", "a second YAML document begins here; keep one document"],
  ["a tag", GOOD.replace("eth0", "!env NIC"), "4:16", "the tag that begins with ! is not known here; remove it"],
  [
    "a reserved character",
    GOOD.replace("eth0", "@nic"),
    "4:16",
    "begins with a character that YAML keeps for itself; put the value in quotes",
  ],
  [
    "a template that was not filled in",
    "store: {{ url }}\nvips: {}\n",
    "1:9",
    "this key is not a word; write a name before the ':', and put a value that begins with { in quotes",
  ],
  [
    "an alias without an anchor",
    GOOD.replace("eth0", "*nic"),
    "4:16",
    "the alias *nic names no anchor before it; put &nic before the value it names",
  ],
  [
    "a merge of something that is no group",
    `nics: &n [eth0]\n${GOOD.replace("    interface", "    <<: *n\n    interface")}`,
    "5:5",
    "'<<' merges something that is not a group; name a group of keys by an alias",
  ],
  [
    "a key that stands twice",
    `${GOOD}  web:\n    interface: eth1\n`,
    "6:3",
    "this key stands here twice; keep one of the two",
  ],
];

const VALUES: readonly Case[] = [
  [
    "a list that is indented like the VIPs",
    `${VIP}  addresses:\n    - 10.0.0.10/24\n`,
    "5:3",
    "vips.addresses: stands beside the VIPs, not below one; indent it like the other keys of its VIP",
  ],
  [
    "VIPs as a list",
    `${STORE}vips:\n  - name: web\n`,
    "3:3",
    "vips: is a list of VIPs; name each VIP and remove its '-'",
  ],
  ["an address that is no list", `${VIP}    addresses: 10.0.0.10/24\n`, "5:16", "write it as a list: [10.0.0.10/24]"],
  [
    "a list in a list",
    `${VIP}    addresses:\n      - - 10.0.0.10/24\n`,
    "6:9",
    "vips.web.addresses[0]: is a list; use an address with its prefix length",
  ],
  [
    "a priority of keepalived's owner",
    `${GOOD}    priority: 255\n`,
    "6:15",
    "vips.web.priority: 255 is more than 254; use 1 to 254",
  ],
  ["no priority", `${GOOD}    priority: 0\n`, "6:15", "vips.web.priority: 0 is less than 1; use 1 to 254"],
  ["half a priority", `${GOOD}    priority: 1.5\n`, "6:15", "vips.web.priority: 1.5 is not a whole number; use 2"],
  [
    "a lease too short for the store",
    GOOD.replace("sqlite:/s.db", "etcd://h\nttl: 300ms"),
    "2:6",
    "ttl: is shorter than a store on etcd can keep (500ms); use 500ms or more",
  ],
  ["several stores", "store: [etcd://a, etcd://b]\nvips: {}\n", "1:8", "store: is a list; use the URL of a store"],
  [
    "a password where SQLite takes none",
    "store: sqlite://:hush@host\nvips: {}\n",
    "1:8",
    "store: names no file by an absolute path",
  ],
  ["a database of Redis", "store: redis://:hush@h/7\nvips: {}\n", "1:8", "store: names the database 7; leave it out"],
  [
    "replicas that are no number",
    "store: redis://h?minReplicas=lots\nvips: {}\n",
    "1:8",
    "store: has minReplicas=lots; use a whole number from 0 to 100",
  ],
  [
    "an unknown option of the store",
    "store: sqlite:/s.db?mode=ro\nvips: {}\n",
    "1:8",
    "store: has options, and SQLite takes none; leave out what follows the path",
  ],
  [
    "a password file that is missing",
    "store: etcd://u@h?passwordFile=/nowhere/pw\nvips: {}\n",
    "1:8",
    "cannot be read: /nowhere/pw (ENOENT); give a file that vipd may read",
  ],
  [
    "a port out of range",
    "store: etcd://a:2379,b:99999\nvips: {}\n",
    "1:8",
    "store: has the port 99999; use 1 to 65535",
  ],
  [
    "a group that is not there",
    `admin: {group: vpid}\n${GOOD}`,
    "1:16",
    "admin.group: this host has no such group; did you mean vipd?",
  ],
  [
    "the host's own address",
    GOOD.replace("10.0.0.10", "10.0.0.1"),
    "5:17",
    "10.0.0.1 is this host's own address (10.0.0.1/24 on eth0), and no VIP; use an address that no host has",
  ],
];

test.each([...OTHER_PROGRAMS, ...SYNTAX, ...VALUES])("%s", async (_what, file, place, told) => {
  await refuses(file, place, told);
});

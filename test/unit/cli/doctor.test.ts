// vipctl doctor: each finding with its fix, and an exit code that says whether anything fails.

import { expect, test } from "vitest";
import { VipdError } from "../../../src/base/errors.ts";
import { later } from "../../../src/base/time.ts";
import type { Finding } from "../../../src/cli/doctor/finding.ts";
import type { HostReport } from "../../../src/cli/deps.ts";
import { electionView, fleetView, statusView } from "../admin/views.ts";
import { adminError, CONFIG, Desk, GOOD_CONFIG, STORE } from "./desk.ts";

const HEALTHY: HostReport = {
  fence: { kind: "netdev", flushProof: true },
  trouble: null,
  links: [
    { name: "lo", up: true },
    { name: "eth0", up: true },
  ],
  addresses: [{ family: 4, ip: "10.0.0.1", prefix: 24, interface: "eth0" }],
  arpOfAll: { filter: 0, ignore: 0 },
};

/** A desk where nothing is wrong: web is held, and one station answers for it. */
function healthyDesk(): Desk {
  const desk = new Desk();
  desk.files.set(CONFIG, `${GOOD_CONFIG}node: web1\n`);
  desk.daemon();
  desk.fleet().view = fleetView({ elections: [electionView({ addresses: ["10.0.0.10/24"] })] });
  desk.host = HEALTHY;
  desk.wire = { answers: [{ ip: "10.0.0.10", mac: "02:00:00:00:00:0a" }], boundHere: [] };
  return desk;
}

async function examine(desk: Desk): Promise<{ code: number; grave: readonly Finding[] }> {
  const code = await desk.vipctl("doctor", "--json");
  return { code, grave: (desk.out.json as readonly Finding[]).filter(({ level }) => level !== "ok") };
}

test("a healthy host: a line for each part, exit 0", async () => {
  const desk = healthyDesk();
  expect(await desk.vipctl("doctor")).toBe(0);
  expect(desk.out.lines).toEqual([
    `ok       config   ${CONFIG}: no mistakes (node web1, fleet main, 1 VIP)`,
    "ok       daemon   vipd 0.1.0 runs (node web1, pid 4711)",
    "ok       store    answers within 0.0 ms (the slowest of 5 reads)",
    "ok       kernel   netdev fence, which stands through a flush of the ruleset",
    "ok       network  web: eth0 is up, and 10.0.0.10 fits it",
    "ok       network  02:00:00:00:00:0a alone answers for 10.0.0.10",
  ]);
});

test("mistakes in the configuration: nothing else can be examined", async () => {
  const desk = healthyDesk();
  desk.files.set(CONFIG, "store: nowhere\n");
  const { code, grave } = await examine(desk);
  expect(code).toBe(1);
  expect(grave.every(({ about, level }) => about === "config" && level === "failure")).toBe(true);
  expect(grave[0]?.fix).toBe(`vipd --check -c ${CONFIG} shows it again`);
});

test("no configuration: the fix is to write it", async () => {
  const desk = healthyDesk();
  desk.files.delete(CONFIG);
  const { code, grave } = await examine(desk);
  expect(code).toBe(1);
  expect(grave).toEqual([
    expect.objectContaining({
      text: expect.stringContaining("there is no such file") as string,
      fix: expect.stringMatching(/^write it: docs\/examples\/nginx-pair\.yaml/u) as string,
    }),
  ]);
});

test("one mistake in the configuration is told once", async () => {
  const desk = healthyDesk();
  desk.files.set(CONFIG, `${GOOD_CONFIG}nod: web1\n`);
  const { grave } = await examine(desk);
  expect(grave.map(({ text }) => text)).toEqual([expect.stringContaining("nod")]);
});

test.each([
  ["absent", 0, "warning", "systemctl start vipd"],
  ["denied", 0, "warning", "as root"],
  ["silent", 1, "failure", "frozen or overloaded"],
  ["broken", 1, "failure", "journalctl -u vipd"],
] as const)("a daemon that is %s: what to do about just that", async (kind, code, level, fix) => {
  const desk = healthyDesk();
  desk.daemon().failure = adminError(kind, "no luck");
  const found = await examine(desk);
  expect(found).toMatchObject({ code, grave: [{ about: "daemon", level, text: "no luck" }] });
  expect(found.grave[0]?.fix).toContain(fix);
  if (kind !== "absent") expect(found.grave[0]?.fix).not.toContain("start it:");
});

test("what differs between the file and the daemon that runs needs a restart, and shows no password", async () => {
  const desk = healthyDesk();
  desk.files.set(CONFIG, `store: redis://:secret@r1:6379\nnode: lb9\nttl: 5s\nvips: {}\n`);
  desk.fleet("redis://:secret@r1:6379");
  const { grave } = await examine(desk);
  const texts = grave.filter(({ about }) => about === "daemon").map(({ text }) => text);
  expect(texts).toEqual([
    "restart needed: the file says node lb9, the daemon runs with web1",
    `restart needed: the file says store redis://***@r1:6379, the daemon runs with ${STORE}`,
    "restart needed: the file says ttl 5000 ms, the daemon runs with 3000 ms",
  ]);
});

test("a store that no daemon has used yet is no failure before the first start, and one beside a daemon that runs", async () => {
  const desk = healthyDesk();
  desk.fleet().read = () =>
    Promise.reject(new VipdError("store-unavailable", "etcd holds no fleet that a vipd has used", { unused: true }));
  expect(await examine(desk)).toMatchObject({ code: 1, grave: [{ about: "store", level: "failure" }] });
  const fresh = healthyDesk();
  for (const [key, fleet] of desk.fleets) fresh.fleets.set(key, fleet);
  fresh.daemons.clear();
  expect(await examine(fresh)).toMatchObject({
    code: 0,
    grave: [
      { about: "daemon", level: "warning" },
      { about: "store", level: "warning", fix: "the first vipd that starts makes it" },
    ],
  });
});

test("what checking the file finds on this host is told once, as a warning with its fix", async () => {
  const desk = healthyDesk();
  desk.exposed.set(CONFIG, { othersRead: true, othersWrite: true });
  desk.network = { links: ["lo"], addresses: [] };
  desk.missing.add("/var/lib/vipd");
  desk.host = { ...HEALTHY, links: [{ name: "lo", up: true }] };
  const { code, grave } = await examine(desk);
  expect(code).toBe(0);
  expect(grave.map(({ about, level, text }) => `${about} ${level} ${text}`)).toEqual([
    `config warning others may write to ${CONFIG}, the configuration`,
    "config warning vips.web: this host has no interface eth0: the VIP stands back until there is one",
  ]);
});

test("no daemon, or one of another version, is a warning", async () => {
  const desk = healthyDesk();
  desk.daemons.clear();
  expect(await examine(desk)).toMatchObject({
    code: 0,
    grave: [{ about: "daemon", level: "warning", fix: "start it: systemctl start vipd" }],
  });
  const other = healthyDesk();
  other.daemon().view = statusView({ version: "0.0.9" });
  expect(await examine(other)).toMatchObject({
    code: 0,
    grave: [{ about: "daemon", text: expect.stringContaining("0.0.9") }],
  });
});

test.each([
  [250, 0, []],
  [400, 0, ["warning"]],
  [600, 1, ["failure"]],
] as const)("a store that takes %d ms at a lease of 3 s", async (ms, code, levels) => {
  const desk = healthyDesk();
  const view = fleetView({ elections: [] });
  let now = desk.timers.now();
  desk.timers.now = () => now;
  desk.fleet().read = () => {
    now = later(now, ms);
    return Promise.resolve(view);
  };
  const found = await examine(desk);
  expect(found.grave.map(({ level }) => level)).toEqual(levels);
  expect(found.code).toBe(code);
});

test("a store that is not there is a failure, with where to look", async () => {
  const desk = healthyDesk();
  desk.fleets.clear();
  expect(await examine(desk)).toMatchObject({
    code: 1,
    grave: [
      {
        about: "store",
        level: "failure",
        text: `there is no store at ${STORE}`,
        fix: expect.stringContaining("look at the store"),
      },
    ],
  });
});

test("what a store does not promise, and what its records complain of, are warnings", async () => {
  const desk = healthyDesk();
  const { store } = fleetView();
  const guarantees = { ...store.guarantees, tokenDurable: false, failoverSafe: false, caveats: ["a caveat"] };
  desk.fleet().view = fleetView({ store: { ...store, guarantees }, elections: [], warnings: ["two files differ"] });
  const { code, grave } = await examine(desk);
  expect(code).toBe(0);
  expect(grave.map(({ text }) => text)).toEqual([
    "tokens may fall when its data are lost",
    "a failover inside it may lose what it confirmed",
    "two files differ",
  ]);
});

test("what the store's servers say of themselves is told; what is to be fixed is a warning", async () => {
  const desk = healthyDesk();
  const fleet = desk.fleet();
  fleet.view = fleetView({ elections: [] });
  fleet.findings = [
    { text: "program 1.2.3", fix: null },
    { text: "an old version", fix: "upgrade" },
  ];
  const { code, grave } = await examine(desk);
  expect(code).toBe(0);
  expect(grave).toEqual([{ about: "store", level: "warning", text: "an old version", fix: "upgrade" }]);
  expect(desk.out.text).toContain("program 1.2.3");
});

const HOSTS: readonly (readonly [what: string, change: Partial<HostReport>, code: number, text: string])[] = [
  ["no fence", { fence: null, trouble: "nf_tables is missing" }, 1, "nf_tables is missing"],
  ["an older fence", { fence: { kind: "inet", flushProof: false } }, 0, "inet fence"],
  ["an interface that is down", { links: [{ name: "eth0", up: false }] }, 0, "web: eth0 is down"],
  ["no address of the network", { addresses: [] }, 0, "web: eth0 has no other address in the network of 10.0.0.10/24"],
];

test.each(HOSTS)("%s", async (_what, change, code, text) => {
  const desk = healthyDesk();
  desk.host = { ...HEALTHY, ...change };
  const found = await examine(desk);
  expect(found.grave.map((finding) => finding.text)).toEqual([text]);
  expect(found.grave[0]?.fix).not.toBeNull();
  expect(found.code).toBe(code);
});

test("a wire that disagrees is a failure", async () => {
  const desk = healthyDesk();
  desk.wire = { answers: [], boundHere: [] };
  expect(await examine(desk)).toMatchObject({ code: 1, grave: [{ about: "network", level: "failure" }] });
});

test("a VIP with a virtual MAC is judged by the interface below its device, which needs a way to the neighbours", async () => {
  const desk = healthyDesk();
  desk.files.set(CONFIG, `${GOOD_CONFIG.replace("24] }", "24], virtualMac: { id: 51 } }")}node: web1\n`);
  expect((await examine(desk)).grave).toEqual([]);
  const other = healthyDesk();
  other.files.set(CONFIG, desk.files.get(CONFIG) ?? "");
  other.host = { ...HEALTHY, addresses: [{ family: 4, ip: "192.0.2.1", prefix: 24, interface: "eth0" }] };
  expect((await examine(other)).grave).toMatchObject([
    {
      about: "network",
      text: "web: eth0 has no address of its own in a network of 10.0.0.10, through which its neighbours would be reached",
    },
  ]);
});

test("settings of all interfaces with which nobody is answered with a virtual MAC are told", async () => {
  const host = { ...HEALTHY, arpOfAll: { filter: 1, ignore: 2 } };
  const plain = healthyDesk();
  plain.host = host;
  expect((await examine(plain)).grave).toEqual([]);
  const desk = healthyDesk();
  desk.host = host;
  desk.files.set(CONFIG, `${GOOD_CONFIG.replace("24] }", "24], virtualMac: { id: 51 } }")}node: web1\n`);
  const text =
    "web: with net.ipv4.conf.all.arp_filter=1 and net.ipv4.conf.all.arp_ignore=2 this kernel does not answer ARP with the virtual MAC: this node stands back";
  expect((await examine(desk)).grave).toMatchObject([{ about: "network", level: "warning", text }]);
});

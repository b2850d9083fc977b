// Sixteen virtual routers in four sync groups on three nodes, two of them keepalived and one vipd: each group has its own order
// of nodes, and each address is answered for by one at a time through a stop, a cable that is pulled, returns, and a death.

import { afterEach, beforeEach, expect, test } from "vitest";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { Fleet } from "../hosts/harness/fleet.ts";
import { Lan, type Station } from "../hosts/harness/lan.ts";
import { Recorder } from "../hosts/harness/recorder.ts";
import { type Dialect, Keepalived } from "./parties.ts";

const INTERVAL_MS = 300;
const GROUP_SIZE = 4;

/** The client asks for sixteen addresses. */
const ASK_EVERY_MS = 20;

/** How long the client may hear two nodes when keepalived pre-empts: it binds its addresses beside the advert that claims them. */
const CLAIM_MS = 50;

type Name = "a" | "b" | "c";

/** By group, the nodes in the order of their priorities; a is vipd. */
const ORDERS: readonly (readonly Name[])[] = [
  ["a", "b", "c"],
  ["b", "c", "a"],
  ["c", "a", "b"],
  ["a", "c", "b"],
];
const PRIORITIES = [200, 150, 100];
const ROUTERS = ORDERS.flatMap((order, group) =>
  Array.from({ length: GROUP_SIZE }, (_, i) => {
    const id = group * GROUP_SIZE + i + 1;
    return { id, group, order, ip: `10.77.0.${150 + id}` };
  }),
);

const priorityOf = (order: readonly Name[], name: Name): number => PRIORITIES[order.indexOf(name)] ?? 1;

let lan: Lan;
let fleet: Fleet;
let recorder: Recorder;
let closers: (() => void)[];

beforeEach(() => {
  lan = new Lan(["a", "b", "c"]);
  fleet = new Fleet(lan);
  closers = [];
  recorder = new Recorder(
    lan,
    ROUTERS.map(({ ip }) => ip),
    ASK_EVERY_MS,
  );
});
afterEach(async ({ task }) => {
  if (task.result?.state === "fail")
    for (const { ip } of ROUTERS) process.stderr.write(`${ip}: ${JSON.stringify(recorder.runs(ip))}\n`);
  for (const close of closers) close();
  recorder.close();
  await fleet.close();
  lan.close();
});

function host(name: Name): Station {
  const found = lan.hosts.find((station) => station.name === name);
  if (found === undefined) throw new Error(`no host ${name}`);
  return found;
}

function keepalived(name: Name): { readonly peer: Keepalived; readonly configuration: string } {
  const groups = ORDERS.map((_, group) => {
    const members = ROUTERS.filter((router) => router.group === group).map(({ id }) => `v${id}`);
    return `vrrp_sync_group g${group} {\ngroup {\n${members.join("\n")}\n}\n}\n`;
  });
  const instances = ROUTERS.map(({ id, ip, order }) =>
    [
      `vrrp_instance v${id} {`,
      `state BACKUP\ninterface eth0\nversion 3\nadvert_int ${INTERVAL_MS / 1000}`,
      `virtual_router_id ${id}\npriority ${priorityOf(order, name)}`,
      `virtual_ipaddress {\n${ip}/24\n}\n}\n`,
    ].join("\n"),
  );
  const dialect: Dialect = { version: 3, intervalMs: INTERVAL_MS, unicast: false, vip: "", own: "", theirs: "" };
  const place = { peer: host(name).namespace, onClose: (closer: () => void) => void closers.push(closer) };
  return { peer: new Keepalived(place, dialect), configuration: [...groups, ...instances].join("") };
}

/** Waits until each address is answered for by the first of its group's order that takes part. */
async function settled(...present: readonly Name[]): Promise<void> {
  const from = bootTimeMs();
  for (const { ip, order } of ROUTERS) {
    const best = order.find((name) => present.includes(name));
    await recorder.answered(ip, (name) => name === best, from, 15_000);
  }
}

test("each group moves as a whole, to its next node, and no address has two", async () => {
  const vips = ROUTERS.map(({ id, ip, order }) =>
    [
      `  v${id}:\n    interface: eth0\n    addresses: [${ip}/24]\n    priority: ${priorityOf(order, "a")}`,
      `    election: vrrp\n    vrrp: { id: ${id}, version: 3, interval: ${INTERVAL_MS}ms }\n`,
    ].join("\n"),
  );
  const daemon = fleet.start(host("a"), { store: null, vips: vips.join("") });
  const [b, c] = [keepalived("b"), keepalived("c")];
  b.peer.startWith(b.configuration);
  c.peer.startWith(c.configuration);
  await settled("a", "b", "c");
  const from = bootTimeMs();
  await settled("a", "b", "c");

  await b.peer.stop();
  await settled("a", "c");
  host("c").pullCable();
  await settled("a");
  const returning = bootTimeMs();
  host("c").plugCable();
  await settled("a", "c");
  b.peer.startWith(b.configuration);
  await settled("a", "b", "c");
  const dying = bootTimeMs();
  await settled("a", "b", "c");
  await daemon.kill();
  await settled("b", "c");

  const expected: readonly (readonly Name[])[] = [
    ["a", "b"],
    ["b", "c", "a", "c", "b"],
    ["c", "a", "c"],
    ["a", "c"],
  ];
  for (const { ip, group } of ROUTERS) {
    const hands = expected[group] ?? [];
    expect(recorder.overlapMs(ip, hands, from), ip).toBeLessThan(CLAIM_MS);
    const leaving = recorder.runs(ip, from, returning).map((run) => run.host);
    expect(leaving, `${ip}: a stop, and a cable`).toEqual(hands.slice(0, leaving.length));
    const ending = recorder.hands(ip, dying);
    expect(ending, `${ip}: a death`).toEqual(hands.slice(hands.length - ending.length));
  }
});

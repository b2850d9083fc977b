// vipd in VRRP mode beside a real keepalived while something changes: a cable, the configuration, the family.

import { afterEach, expect, test } from "vitest";
import type { DaemonProcess } from "../hosts/harness/fleet.ts";
import { VIP, VIP6 } from "../hosts/harness/fleet.ts";
import { useFleet } from "../hosts/harness/use-fleet.ts";
import { eventually } from "../linux/namespaces.ts";
import { type Dialect, Keepalived } from "./parties.ts";

const OTHER = "10.77.0.51";
const bench = useFleet(["a", "b"], [VIP, VIP6, OTHER]);
const QUICK: Dialect = {
  version: 3,
  intervalMs: 200,
  unicast: false,
  vip: VIP,
  own: "10.77.0.11",
  theirs: "10.77.0.12",
};

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A keepalived on host b. */
function keepalived(dialect: Dialect = QUICK): Keepalived {
  return new Keepalived({ peer: bench().host("b").namespace, onClose: (closer) => void closers.push(closer) }, dialect);
}

function router(name: string, address: string, id: number, priority: number): string {
  const group = `{ id: ${id}, version: 3, interval: ${QUICK.intervalMs}ms }`;
  return `  ${name}:\n    interface: eth0\n    addresses: ["${address}"]\n    priority: ${priority}\n    election: vrrp\n    vrrp: ${group}\n`;
}

function instance(name: string, address: string, id: number, priority: number): string {
  return [
    `vrrp_instance ${name} {`,
    "state BACKUP\ninterface eth0\nversion 3\nadvert_int 0.2",
    `virtual_router_id ${id}\npriority ${priority}\nvirtual_ipaddress {\n${address}\n}\n}\n`,
  ].join("\n");
}

/** vipd on host a. */
function vipd(vips: string): DaemonProcess {
  return bench().fleet.start(bench().host("a"), { store: null, vips });
}

/** How long the client may hear both when keepalived pre-empts: it binds its addresses beside the advert that claims them. */
const CLAIM_MS = 50;

/** Three intervals, the skew, and time for a machine at work. */
const DOWN_MS = 4 * QUICK.intervalMs + 250;

test("a cable that is pulled silences vipd before keepalived answers, and once it is plugged in vipd pre-empts", async () => {
  const { recorder } = bench();
  const daemon = vipd(router("web", `${VIP}/24`, 51, 200));
  await daemon.holds("web", 15_000);
  const peer = keepalived().start(100);
  await bench().idle(DOWN_MS);
  expect(peer.holds).toBe(false);
  const from = await bench().mark("a", [VIP]);
  bench().host("a").pullCable();
  await peer.untilMaster();
  await recorder.answered(VIP, (host) => host === "b", from);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
  await daemon.until("has let go", ({ elections }) => elections[0]?.role === "idle");
  expect(bench().isBound(bench().host("a"), VIP)).toBe(false);
  bench().host("a").plugCable();
  await daemon.holds("web", 15_000);
  await peer.untilBackup();
  const back = bench().now();
  await recorder.answered(VIP, (host) => host === "a", back);
  expect(recorder.overlapMs(VIP, ["a", "b", "a"], from)).toBe(0);
});

test("vipd follows a keepalived whose cable is pulled, and gives way to it when it is back", async () => {
  const { recorder } = bench();
  const peer = keepalived().start(200);
  await peer.untilMaster();
  const daemon = vipd(router("web", `${VIP}/24`, 51, 100));
  await daemon.backs("web", 15_000);
  const from = await bench().mark("b", [VIP]);
  bench().host("b").pullCable();
  await daemon.holds();
  expect(bench().now() - from).toBeLessThan(DOWN_MS + QUICK.intervalMs);
  await recorder.answered(VIP, (host) => host === "a", from);
  expect(recorder.hands(VIP, from)).toEqual(["b", "a"]);
  expect(recorder.overlapMs(VIP, ["b", "a"], from)).toBe(0);
  bench().host("b").plugCable();
  await daemon.backs("web", 15_000);
  await recorder.answered(VIP, (host) => host === "b", bench().now());
  expect(recorder.overlapMs(VIP, ["b", "a", "b"], from)).toBeLessThan(CLAIM_MS);
});

test("IPv6: it follows a keepalived that stops, pre-empts a lower one, and is silent before that answers when it is killed", async () => {
  const { recorder } = bench();
  const dialect: Dialect = { ...QUICK, vip: VIP6 };
  const peer = keepalived(dialect).start(100);
  await peer.untilMaster(15_000);
  await recorder.answered(VIP6, (host) => host === "b", bench().now());
  const from = bench().now();
  const daemon = vipd(router("web", `${VIP6}/64`, 51, 200));
  await daemon.holds("web", 15_000);
  await peer.untilBackup();
  await recorder.answered(VIP6, (host) => host === "a", bench().now());
  expect(recorder.overlapMs(VIP6, ["b", "a"], from)).toBe(0);

  const killed = await bench().mark("a", [VIP6]);
  await daemon.kill();
  await peer.untilMaster();
  await recorder.answered(VIP6, (host) => host === "b", killed);
  expect(recorder.hands(VIP6, killed)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP6, ["a", "b"], killed)).toBe(0);

  await peer.stop();
  peer.start(200);
  await peer.untilMaster();
  const again = bench().fleet.restart(bench().host("a"));
  await again.until(
    "leaves it to the higher one",
    ({ elections }) => elections[0]?.holder?.startsWith("fe80:") === true,
  );
  await peer.stop();
  await again.holds();
});

test("a VIP that is added by a reload, here and there, moves no other one", async () => {
  const { recorder, fleet } = bench();
  const web = instance("web", `${VIP}/24`, 51, 100);
  const peer = keepalived().startWith(web);
  const daemon = vipd(router("web", `${VIP}/24`, 51, 200));
  await daemon.holds("web", 15_000);
  const from = await bench().mark("a", [VIP]);

  peer.reload(web + instance("db", `${OTHER}/24`, 52, 100));
  await recorder.answered(OTHER, (host) => host === "b", from);
  fleet.configure(bench().host("a"), {
    store: null,
    vips: router("web", `${VIP}/24`, 51, 200) + router("db", `${OTHER}/24`, 52, 200),
  });
  daemon.signal("SIGHUP");
  await daemon.holds("db");
  await recorder.answered(OTHER, (host) => host === "a", bench().now());
  expect(recorder.overlapMs(OTHER, ["b", "a"], from)).toBe(0);
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
  expect(recorder.gapMs(VIP, from)).toBeLessThan(QUICK.intervalMs);

  const killed = await bench().mark("a", [VIP, OTHER]);
  await daemon.kill();
  for (const ip of [VIP, OTHER]) {
    await recorder.answered(ip, (host) => host === "b", killed);
    expect(recorder.overlapMs(ip, ["a", "b"], killed)).toBe(0);
  }
  await eventually("keepalived holds both", () => bench().isBound(bench().host("b"), OTHER));
});

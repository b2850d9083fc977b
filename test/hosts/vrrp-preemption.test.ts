// VRRP between two real daemons of which the higher one starts last: it answers when the other one does not any more, though
// that one cannot read the claim.

import { expect, test } from "vitest";
import { type DaemonProcess, VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"], [VIP]);

const INTERVAL_MS = 500;

/** A master that is frozen answers no more after this, in milliseconds. */
const DOWN_MS = 3 * INTERVAL_MS;

function start(name: "a" | "b", priority: number): DaemonProcess {
  const { fleet } = bench();
  const vrrp = `{ id: 51, version: 3, interval: ${INTERVAL_MS}ms }`;
  const more = `    priority: ${priority}\n    preemptDelay: 0s\n    election: vrrp\n    vrrp: ${vrrp}\n`;
  const vips = `  web:\n    interface: eth0\n    addresses: [${VIP}/24]\n${more}`;
  return fleet.start(bench().host(name), { store: null, vips });
}

/** The lower one holds, and the higher one starts. */
async function begun(): Promise<{ readonly a: DaemonProcess; readonly b: DaemonProcess; readonly from: number }> {
  const a = start("a", 100);
  await a.holds("web", 20_000);
  const from = await bench().mark("a", [VIP]);
  return { a, b: start("b", 200), from };
}

test("a master that lives lets go, and the higher one answers a moment later", async () => {
  const { recorder } = bench();
  const { a, b, from } = await begun();
  await b.holds("web", 20_000);
  await a.backs();
  await recorder.answered(VIP, (host) => host === "b", from);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
  expect(recorder.gapMs(VIP, from)).toBeLessThan(INTERVAL_MS);
});

test("a master that has not heard the claim, and is frozen then, is silent before the higher one answers, and stays so", async () => {
  const { recorder, idle } = bench();
  const { namespace } = bench().host("a");
  namespace.exec("nft", "add", "table", "netdev", "deaf");
  namespace.exec("nft", "add", "chain", "netdev", "deaf", "in", "{ type filter hook ingress device eth0 priority 0; }");
  namespace.exec("nft", "add", "rule", "netdev", "deaf", "in", "ip", "protocol", "112", "drop");
  const { a, b, from } = await begun();
  await b.until("claims", ({ elections }) => elections[0]?.reasonCode === "lower-master", 20_000);
  await idle(INTERVAL_MS);
  expect(recorder.hands(VIP, from), "it answers, and so the other one waits").toEqual(["a"]);
  a.signal("SIGSTOP");
  await b.holds("web", 20_000);
  await recorder.answered(VIP, (host) => host === "b", from);
  await idle(DOWN_MS);
  namespace.exec("nft", "delete", "table", "netdev", "deaf");
  a.signal("SIGCONT");
  await a.backs();
  await idle(300);
  expect(recorder.hands(VIP, from)).toEqual(["a", "b"]);
  expect(recorder.overlapMs(VIP, ["a", "b"], from)).toBe(0);
});

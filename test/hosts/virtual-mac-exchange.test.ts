// Virtual MACs that a new file gives to other VIPs than before, on hosts that reload one after the other: the switch never
// sees one MAC from two hosts.

import { expect, test } from "vitest";
import { VIP } from "./harness/fleet.ts";
import { MacRecorder } from "./harness/mac-recorder.ts";
import { useFleet } from "./harness/use-fleet.ts";

const MAIL_VIP = "10.77.0.60";
const bench = useFleet(["a", "b"], [VIP, MAIL_VIP]);

const MACS = { 51: "00:00:5e:00:01:33", 52: "00:00:5e:00:01:34" } as const;

/** Of a host on which web has the one priority, and mail the other. */
function vips(web: readonly [id: number, priority: number], mail: readonly [id: number, priority: number]): string {
  const block = (name: string, ip: string, [id, priority]: readonly [number, number]): string =>
    `  ${name}:\n    interface: eth0\n    addresses: [${ip}/24]\n    priority: ${priority}\n    virtualMac: { id: ${id} }\n`;
  return block("web", VIP, web) + block("mail", MAIL_VIP, mail);
}

test("two VIPs exchange their ids in a reload on one host after the other: one host at a time sends with each MAC", async () => {
  const { lan, fleet, recorder, now, idle } = bench();
  using macs = new MacRecorder(lan, Object.values(MACS));
  const [hostA, hostB] = [bench().host("a"), bench().host("b")];
  const a = fleet.start(hostA, { vips: vips([51, 200], [52, 100]) });
  await a.holds();
  const b = fleet.start(hostB, { vips: vips([51, 100], [52, 200]) });
  await b.holds("mail");
  await b.until("sees a as a candidate", ({ elections }) =>
    elections.every(({ candidates }) => candidates.length === 2),
  );
  const start = now();
  await recorder.answered(VIP, (name) => name === "a", start);
  await recorder.answered(MAIL_VIP, (name) => name === "b", start);
  const from = now();
  fleet.configure(hostA, { vips: vips([52, 200], [51, 100]) });
  a.signal("SIGHUP");
  await expect.poll(() => a.log(), { timeout: 5_000 }).toContain("is configured under 2 names");
  await idle(600);
  expect(a.log()).toContain(`${MACS[52]} is configured under 2 names`);
  expect(recorder.hands(MAIL_VIP, from)).toEqual(["b"]);
  const between = now();
  fleet.configure(hostB, { vips: vips([52, 100], [51, 200]) });
  b.signal("SIGHUP");
  await recorder.answered(VIP, (name) => name === "a", between);
  await recorder.answered(MAIL_VIP, (name) => name === "b", between + 50);
  const moved = now();
  await expect.poll(() => macs.hands(MACS[51], moved), { timeout: 5_000 }).toEqual(["b"]);
  await expect.poll(() => macs.hands(MACS[52], moved), { timeout: 5_000 }).toEqual(["a"]);
  expect(macs.hands(MACS[51], from).filter((name, i) => i > 0 || name !== "a")).toEqual(["b"]);
  expect(macs.hands(MACS[52], from).filter((name, i) => i > 0 || name !== "b")).toEqual(["a"]);
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
  await a.holds();
  await b.holds("mail");
  await expect.poll(() => a.log(), { timeout: 5_000 }).toContain("no address is configured under two names any more");
});

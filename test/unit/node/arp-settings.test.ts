// Settings of the host with which nobody is answered with a virtual MAC: its VIPs stand back while they are so.

import { expect, test } from "vitest";
import { reason } from "../../../src/base/reasons.ts";
import type { VipConfig } from "../../../src/config/types.ts";
import { BegunDaemon, DB } from "./begun-daemon.ts";
import { vipConfig } from "./config.ts";
import { link } from "./fake-host.ts";

const MAC: VipConfig = vipConfig("mac", [
  {
    family: 4,
    ip: "10.0.0.51",
    prefix: 32,
    interface: "vipd4-51",
    virtualMac: { mac: "00:00:5e:00:01:33", parent: "eth0" },
  },
]);

const FILTERS = reason("arp-settings", "net.ipv4.conf.all.arp_filter=1");
const IGNORES = reason("arp-settings", "net.ipv4.conf.all.arp_ignore=2");

function daemon(vips: readonly VipConfig[]): BegunDaemon {
  const begun = new BegunDaemon(vips);
  begun.host.linkTable.set("vipd4-51", link("vipd4-51"));
  return begun;
}

test("a VIP with a virtual MAC stands back at the start, and one without does not", () => {
  const begun = daemon([MAC, DB]);
  begun.host.arp = { filter: 1, ignore: 0 };
  begun.daemon.start();
  expect(begun.elector.news()).toEqual(["candidacies: mac arp-settings, db eligible", "start"]);
  expect(begun.daemon.eligibility.of("mac")).toMatchObject([{ source: "arp-settings", reason: FILTERS }]);
  expect(begun.log.lines.map(({ message }) => message)).toContain(`cannot hold mac for now: ${FILTERS.text}`);
});

test("they are looked at again: a change is told once, whichever way it goes", async () => {
  const begun = daemon([MAC]).start();
  begun.host.arp = { filter: 0, ignore: 2 };
  await begun.host.timers.advance(3_000);
  expect(begun.elector.news()).toEqual(["candidacies: mac arp-settings"]);
  expect(begun.daemon.eligibility.reasonFor("mac")).toEqual(IGNORES);
  begun.host.arp = { filter: 0, ignore: 1 };
  await begun.host.timers.advance(3_000);
  expect(begun.elector.news()).toEqual(["candidacies: mac eligible"]);
});

test("without a virtual MAC they are not looked at, also not when a reload takes it out", async () => {
  let looks = 0;
  const begun = daemon([MAC]);
  begun.host.arpOfAll = () => {
    looks += 1;
    return begun.host.arp;
  };
  begun.start();
  begun.reload([DB]);
  const before = looks;
  await begun.host.timers.advance(5_000);
  expect([before, looks]).toEqual([1, 1]);
});

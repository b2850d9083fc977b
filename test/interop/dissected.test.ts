// Every advert that the daemon sends, in all its forms, as another program reads it: tshark finds nothing to complain of.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { useFleet } from "../hosts/harness/use-fleet.ts";
import { eventually } from "../linux/namespaces.ts";
import { missingProgram } from "../run/programs.ts";
import { Capture } from "./capture.ts";

const bench = useFleet(["a", "b"], []);

/** One virtual router of each form, by its id: addresses, and what stands in its group. */
const FORMS = [
  { id: 1, addresses: ["10.77.1.1/32"], vrrp: "version: 2, interval: 1s" },
  { id: 2, addresses: ["10.77.1.2/32", "10.77.1.3/32"], vrrp: "version: 2, interval: 1s, authentication: secret" },
  { id: 3, addresses: ["10.77.1.4/32"], vrrp: "version: 3, interval: 300ms" },
  { id: 4, addresses: ["10.77.1.5/32"], vrrp: "version: 3, interval: 300ms, unicastPeers: [10.77.0.12]" },
  { id: 5, addresses: ["10.77.1.6/32"], vrrp: "version: 2, interval: 1s, unicastPeers: [10.77.0.12]" },
  { id: 6, addresses: ["2001:db8:77::61/64", "2001:db8:77::62/64"], vrrp: "version: 3, interval: 300ms" },
  {
    id: 7,
    addresses: ["2001:db8:77::63/64"],
    vrrp: 'version: 3, interval: 300ms, unicastPeers: ["2001:db8:77::12"], source: "2001:db8:77::11"',
  },
];

const FIELDS = [
  "vrrp.virt_rtr_id",
  "vrrp.prio",
  "vrrp.checksum.status",
  "ip.checksum.status",
  "ip.ttl",
  "ipv6.hlim",
  "_ws.expert",
  "_ws.malformed",
] as const;

/** tshark's word for a right checksum. */
const GOOD = "1";

/** By field, what tshark reads in each packet of VRRP. */
function dissect(file: string): readonly Readonly<Record<(typeof FIELDS)[number], string>>[] {
  const check = ["-o", "ip.check_checksum:TRUE"];
  const wanted = ["-Y", "vrrp", "-T", "fields", "-E", "separator=|", ...FIELDS.flatMap((field) => ["-e", field])];
  const text = execFileSync("tshark", ["-n", "-r", file, ...check, ...wanted], { encoding: "utf8", stdio: "pipe" });
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const values = line.split("|");
      return Object.fromEntries(FIELDS.map((field, i) => [field, values[i] ?? ""])) as Record<
        (typeof FIELDS)[number],
        string
      >;
    });
}

test.skipIf(missingProgram("tshark") !== undefined)(
  "version 2 and 3, both families, both ways, with a password, and farewells",
  async () => {
    const { fleet, lan } = bench();
    const host = bench().host("a");
    const capture = new Capture(lan, host);
    const vips = FORMS.map(
      ({ id, addresses, vrrp }) =>
        `  v${id}:\n    interface: eth0\n    addresses: ${JSON.stringify(addresses)}\n    election: vrrp\n    vrrp: { id: ${id}, ${vrrp} }\n`,
    );
    await eventually("the link-local address is there", () =>
      /fe80:\S+ scope link (?!.*tentative)/u.test(
        host.namespace.exec("ip", "-o", "-6", "address", "show", "dev", "eth0"),
      ),
    );
    const daemon = fleet.start(host, { store: null, vips: vips.join("") });
    const isMaster = ({ elections }: { readonly elections: readonly { readonly role: string | null }[] }): boolean =>
      elections.filter(({ role }) => role === "holder").length === FORMS.length;
    await daemon.until("is the master of all", isMaster, 15_000);
    const file = join(fleet.directory, "adverts.pcap");
    daemon.signal("SIGTERM");
    await daemon.ended;
    let packets: ReturnType<typeof dissect> = [];
    await eventually("all have said farewell", () => {
      writeFileSync(file, capture.pcap());
      packets = dissect(file);
      const farewells = packets.filter((packet) => packet["vrrp.prio"] === "0");
      return new Set(farewells.map((packet) => packet["vrrp.virt_rtr_id"])).size === FORMS.length;
    });
    capture.close();

    const heard = (id: number): number =>
      packets.filter((packet) => packet["vrrp.virt_rtr_id"] === String(id) && packet["vrrp.prio"] === "100").length;
    expect(FORMS.filter(({ id }) => heard(id) === 0)).toEqual([]);
    for (const packet of packets) {
      const isV6 = packet["ipv6.hlim"] !== "";
      expect(packet).toEqual({
        "vrrp.virt_rtr_id": expect.stringMatching(/^[1-7]$/u),
        "vrrp.prio": expect.stringMatching(/^(?:100|0)$/u),
        "vrrp.checksum.status": GOOD,
        "ip.checksum.status": isV6 ? "" : GOOD,
        "ip.ttl": isV6 ? "" : "255",
        "ipv6.hlim": isV6 ? "255" : "",
        "_ws.expert": "",
        "_ws.malformed": "",
      });
    }
  },
);

test.skipIf(missingProgram("tshark") !== undefined)("a wrong checksum would be seen", async () => {
  const { fleet, lan } = bench();
  const host = bench().host("a");
  const capture = new Capture(lan, host);
  const vips =
    "  web:\n    interface: eth0\n    addresses: [10.77.1.4/32]\n    election: vrrp\n    vrrp: { id: 3, version: 3, interval: 100ms }\n";
  const daemon = fleet.start(host, { store: null, vips });
  await daemon.holds("web", 15_000);
  const isAdvert = (frame: Uint8Array): boolean => frame[12] === 8 && frame[13] === 0 && frame[23] === 112;
  await eventually("an advert is heard", () => capture.frames.some(isAdvert));
  capture.close();
  const file = join(fleet.directory, "adverts.pcap");
  for (const frame of capture.frames) if (isAdvert(frame)) frame[36] = (frame[36] ?? 0) ^ 1;
  writeFileSync(file, capture.pcap());
  const [packet] = dissect(file);
  expect(packet).toMatchObject({ "vrrp.virt_rtr_id": "3", "vrrp.prio": "101", "vrrp.checksum.status": "0" });
});

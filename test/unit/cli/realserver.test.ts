// vipctl realserver: which VIP is meant, what is refused, and what it says.

import { expect, test } from "vitest";
import { VipdError } from "../../../src/base/errors.ts";
import { FakeKernel } from "../realserver/fake-kernel.ts";
import { CONFIG, Desk, GOOD_CONFIG } from "./desk.ts";

const FILE = 'realServers:\n  web: { addresses: [10.0.0.50, "2001:db8::50"], interfaces: [eth0] }\n';

class ServerDesk extends Desk {
  readonly kernel = new FakeKernel();
  readonly directories: string[] = [];

  constructor(file: string | undefined = FILE) {
    super();
    if (file !== undefined) this.files.set(CONFIG, file);
  }

  override get deps(): Desk["deps"] {
    return {
      ...super.deps,
      openRealServers: (directory) => {
        this.directories.push(directory);
        return Promise.resolve(this.kernel.open());
      },
    };
  }
}

test("a name of the file, or one of its addresses: up, up again, shown, down, down again", async () => {
  const desk = new ServerDesk();
  expect(await desk.vipctl("realserver", "up", "web")).toBe(0);
  expect(await desk.vipctl("realserver", "up", "2001:DB8::50")).toBe(0);
  expect(await desk.vipctl("realserver", "show")).toBe(0);
  expect(await desk.vipctl("realserver", "down", "10.0.0.50")).toBe(0);
  expect(await desk.vipctl("realserver", "down", "web")).toBe(0);
  expect(await desk.vipctl("realserver", "show")).toBe(0);
  expect(desk.out.lines).toEqual([
    "this host is a real server of web: 10.0.0.50, 2001:db8::50 on lo, silent",
    "this host is already a real server of web: 10.0.0.50, 2001:db8::50 on lo, silent",
    "real server of web: 10.0.0.50 2001:db8::50 from eth0, up",
    "web is down: this host is no real server of it",
    "web is already down: this host is no real server of it",
    "real server of web: 10.0.0.50 2001:db8::50 from eth0, down by hand",
  ]);
  expect(new Set(desk.directories)).toEqual(new Set(["/var/lib/vipd"]));
  expect(desk.kernel.closed).toBe(6);
});

test("an address by hand, with its interface and without a configuration", async () => {
  const desk = new ServerDesk(undefined);
  expect(await desk.vipctl("realserver", "up", "--interface", "eth0", "10.0.0.51", "--json")).toBe(0);
  expect(desk.out.json).toEqual({
    name: "10.0.0.51",
    addresses: [{ family: 4, ip: "10.0.0.51" }],
    interfaces: ["eth0"],
    state: "up",
    changed: true,
    remarks: [],
  });
  expect(await desk.vipctl("realserver", "down", "10.0.0.51")).toBe(0);
  expect(desk.kernel.placed).toEqual([]);
});

test.each<[what: string, file: string | undefined, argv: readonly string[], code: number, told: RegExp]>([
  ["a candidate, by its name", GOOD_CONFIG, ["web"], 1, /^this node is a candidate for web \(vips\.web\)/u],
  [
    "a candidate, by its address",
    GOOD_CONFIG,
    ["10.0.0.10", "--interface", "eth0"],
    1,
    /^this node is a candidate for web/u,
  ],
  ["an unknown name", FILE, ["db"], 2, /^db is no name below realServers:, and no address$/mu],
  ...[
    "::1",
    "127.0.0.1",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "::ffff:10.0.0.1",
  ].map((ip): [string, string, readonly string[], number, RegExp] => [
    `an address of no host, ${ip}`,
    FILE,
    [ip, "--interface", "eth0"],
    2,
    / is not the address of a host on the network: name/u,
  ]),
  ["an address of one link", FILE, ["fe80::", "--interface", "eth0"], 2, /^fe80:: is valid on one link only/u],
  ["no interface", FILE, ["10.0.0.51"], 2, /^name the interface .* such as --interface eth0$/mu],
  ["one too many", FILE, ["web", "--interface", "eth0"], 2, /^--interface is for other addresses/u],
  [
    "a wrong name of an interface",
    FILE,
    ["10.0.0.51", "--interface", "a name that is far too long"],
    2,
    /must be the name of a network interface/u,
  ],
  ["an interface that is not there", FILE.replace("[eth0]", "[eth9]"), ["web"], 1, /^there is no interface eth9$/mu],
  ["a file with mistakes", "realServers: []\n", ["10.0.0.51", "--interface", "eth0"], 78, /realServers/u],
])("up is refused: %s", async (_, file, argv, code, told) => {
  const desk = new ServerDesk(file);
  expect(await desk.vipctl("realserver", "up", ...argv)).toBe(code);
  expect(desk.err.text).toMatch(told);
  expect(desk.out.text).toBe("");
  expect(desk.kernel.placed).toEqual([]);
});

test("a file that was named and is not there is an error", async () => {
  const desk = new ServerDesk(undefined);
  expect(await desk.vipctl("realserver", "up", "10.0.0.51", "--interface", "eth0", "-c", "/etc/other.yaml")).toBe(78);
});

test("show and doctor tell what is not as it should be", async () => {
  const desk = new ServerDesk();
  await desk.vipctl("realserver", "up", "web");
  desk.kernel.silent = [];
  expect(await desk.vipctl("realserver", "show")).toBe(1);
  expect(desk.out.lines.at(-1)).toMatch(/, up: the rules that keep this host silent about 10\.0\.0\.50 are gone$/u);
  await desk.vipctl("doctor");
  expect(desk.out.text).toMatch(/FAILURE {2}network {2}real server of web: .* are gone\n +-> vipctl realserver up/u);
});

test("a privilege that is missing has its exit code, and the doctor warns", async () => {
  const desk = new (class extends ServerDesk {
    override get deps(): Desk["deps"] {
      const refused = new VipdError("privilege", "the capability CAP_NET_ADMIN is missing");
      return { ...super.deps, openRealServers: () => Promise.reject(refused) };
    }
  })();
  expect(await desk.vipctl("realserver", "down", "web")).toBe(77);
  await desk.vipctl("doctor");
  expect(desk.out.text).toContain("the real servers could not be looked at: the capability CAP_NET_ADMIN is missing");
});

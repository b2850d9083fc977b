import { expect, test } from "vitest";
import { isVirtualDevice, virtualDeviceName, virtualRouterMac, wireInterface } from "../../../src/base/virtual-mac.ts";

test.each([
  [4, 1, "00:00:5e:00:01:01"],
  [4, 255, "00:00:5e:00:01:ff"],
  [6, 51, "00:00:5e:00:02:33"],
] as const)("the MAC of IPv%i's virtual router %i is %s", (family, id, mac) => {
  expect(virtualRouterMac(family, id)).toBe(mac);
});

test("a device's name fits an interface's, whatever the id and the place", () => {
  expect(virtualDeviceName(4, 51, 1)).toBe("vipd4-51");
  expect(virtualDeviceName(6, 255, 255)).toBe("vipd6-255-255");
  expect(virtualDeviceName(6, 255, 255).length).toBeLessThanOrEqual(15);
});

test.each([
  ["vipd4-51", "00:00:5e:00:01:33", true],
  ["vipd6-51-2", "00:00:5e:00:02:33", true],
  ["vipd4-51", "00:00:5e:00:02:33", false],
  ["vipd4-52", "00:00:5e:00:01:33", false],
  ["vrrp.51", "00:00:5e:00:01:33", false],
  ["vipd4-51x", "00:00:5e:00:01:33", false],
])("%s with %s is vipd's: %s", (name, mac, expected) => {
  expect(isVirtualDevice(name, mac)).toBe(expected);
});

test("an address is answered for on the wire of the interface below its device", () => {
  expect(wireInterface({ interface: "eth0" })).toBe("eth0");
  const virtualMac = { mac: "00:00:5e:00:01:33", parent: "eth0" };
  expect(wireInterface({ interface: "vipd4-51", virtualMac })).toBe("eth0");
});

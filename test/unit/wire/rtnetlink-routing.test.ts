import { describe, expect, it } from "vitest";
import type { VipRoute, VipRule } from "../../../src/base/routing.ts";
import { toHex } from "../../../src/wire/bytes.ts";
import { ipBytes } from "../../../src/wire/ip.ts";
import {
  attributeMap,
  decodeMessages,
  decodeVerdict,
  encodeAttribute,
  LITTLE_ENDIAN,
} from "../../../src/wire/netlink.ts";
import { encodeNewAddress } from "../../../src/wire/rtnetlink.ts";
import {
  decodeRoute,
  encodeDeleteRoute,
  encodeNewRoute,
  encodeRouteDump,
  RTM_NEWROUTE,
} from "../../../src/wire/rtnetlink-routes.ts";
import { decodeRule, encodeRule, encodeRuleDump, RTM_NEWRULE } from "../../../src/wire/rtnetlink-rules.ts";
import { loadVectors } from "../../vectors/load.ts";
import { misbehaviour, mutations, truncations } from "./hostile.ts";

const captured = loadVectors("rtnetlink.hex");
const HEADER = 12;
const protocol = 118;

const ROUTE: VipRoute = {
  kind: "route",
  family: 4,
  ip: "10.9.0.0",
  prefix: 16,
  type: "unicast",
  via: "10.77.0.2",
  source: "10.77.0.50",
  table: 1_000,
  metric: 50,
  scope: "global",
  mtu: 1_400,
};
const DEFAULT6: VipRoute = {
  kind: "route",
  family: 6,
  ip: "::",
  prefix: 0,
  type: "unicast",
  via: "2001:db8:77::2",
  table: 254,
  metric: 3,
  scope: "global",
};
const BLACKHOLE: VipRoute = {
  kind: "route",
  family: 4,
  ip: "10.7.0.0",
  prefix: 16,
  type: "blackhole",
  table: 254,
  metric: 0,
  scope: "global",
};
const RULE: VipRule = {
  kind: "rule",
  family: 4,
  priority: 1_001,
  table: 1_000,
  from: "10.77.0.50/32",
  to: "10.9.0.0/16",
  fwmark: 1,
  fwmask: 255,
  iif: "eth0",
};
const RULE6: VipRule = { kind: "rule", family: 6, priority: 1_000, table: 100, from: "2001:db8:77::50/128" };

function payloads(name: string): readonly Uint8Array[] {
  return decodeMessages(captured(name)).map((message) => message.payload);
}

function first(name: string): Uint8Array {
  return payloads(name)[0] ?? new Uint8Array();
}

/** Attributes as text by type, whatever their order. */
function attributes(bytes: Uint8Array): Record<string, string> {
  return Object.fromEntries(
    [...attributeMap(bytes.subarray(HEADER))].map(([type, data]) => [String(type), toHex(data)]),
  );
}

/** The table, where ip writes it into the header alone, and we into an attribute too. */
function withTable(bytes: Uint8Array, attribute: number): Record<string, string> {
  const table = (bytes[4] ?? 0).toString(16).padStart(2, "0");
  return { [String(attribute)]: `${table}000000`, ...attributes(bytes) };
}

describe.runIf(LITTLE_ENDIAN)("routes", () => {
  it.each([
    ["ip-route-add-4", { route: ROUTE, protocol, index: 2 }],
    ["ip-route-add-6", { route: DEFAULT6, protocol, index: 2 }],
    ["ip-route-add-blackhole", { route: BLACKHOLE, protocol }],
  ])("%s: are asked for as ip does", (name, record) => {
    const [ours, theirs] = [encodeNewRoute(record), first(name)];
    const header = ours.slice(0, HEADER);
    // A table above 255 does not fit there: the kernel reads the attribute.
    if (record.route.table > 255) header[4] = 0;
    expect(toHex(header)).toBe(toHex(theirs.slice(0, HEADER)));
    expect(attributes(ours)).toEqual(withTable(theirs, 15));
  });

  it("are removed as ip does, whatever their source and MTU", () => {
    const [ours, theirs] = [encodeDeleteRoute({ route: ROUTE, protocol, index: 2 }), first("ip-route-delete-4")];
    // ip names a type only where it is told to, and no protocol: ours removes vipd's routes alone.
    expect([...ours.slice(0, 4), ours[6]]).toEqual([...theirs.slice(0, 4), theirs[6]]);
    expect(ours[5]).toBe(protocol);
    expect(attributes(ours)).toEqual(attributes(theirs));
  });

  it("are read as the kernel tells them", () => {
    expect(decodeRoute(first("route-dump-4"))).toEqual({ route: ROUTE, protocol, index: 2 });
    expect(decodeRoute(first("route-dump-6"))).toEqual({ route: DEFAULT6, protocol, index: 2 });
  });

  it.each([ROUTE, DEFAULT6, BLACKHOLE, { ...ROUTE, onLink: true as const }, { ...BLACKHOLE, table: 253 }])(
    "come back as they were asked for: %o",
    (route) => {
      const index = route.type === "unicast" ? { index: 2 } : {};
      expect(decodeRoute(encodeNewRoute({ route, protocol, ...index }))).toEqual({ route, protocol, ...index });
    },
  );

  it("of another kind mean nothing here: local ones, copies for one destination, other families", () => {
    const bytes = first("route-dump-4");
    const changed = (at: number, value: number): Uint8Array => bytes.map((byte, i) => (i === at ? value : byte));
    for (const [at, value] of [
      [7, 2],
      [9, 2],
      [0, 128],
      [6, 17],
    ] as const)
      expect(decodeRoute(changed(at, value))).toBeUndefined();
  });

  it("with an address of the other family are refused", () => {
    const gateway = encodeAttribute(5, ipBytes("::1"));
    expect(() => decodeRoute(Uint8Array.of(...first("route-dump-4").slice(0, HEADER), ...gateway))).toThrow(RangeError);
  });

  it("are listed for one family and protocol", () => {
    expect(toHex(encodeRouteDump(4, protocol))).toBe("020000000076000000000000");
    expect(toHex(encodeRouteDump(6, protocol))).toBe("0a0000000076000000000000");
  });

  it("survive hostile bytes", () => {
    const inputs = [first("route-dump-4"), first("route-dump-6")];
    expect(
      misbehaviour(
        decodeRoute,
        inputs.flatMap((bytes) => [...truncations(bytes), ...mutations(bytes, 500)]),
      ),
    ).toEqual([]);
  });
});

describe.runIf(LITTLE_ENDIAN)("rules", () => {
  it.each([
    ["ip-rule-add-4", RULE],
    ["ip-rule-add-6", RULE6],
  ])("%s: are asked for as ip does", (name, rule) => {
    const [ours, theirs] = [encodeRule({ rule, protocol }), first(name)];
    const header = ours.slice(0, HEADER);
    if (rule.table > 255) header[4] = 0;
    expect(toHex(header)).toBe(toHex(theirs.slice(0, HEADER)));
    expect(attributes(ours)).toEqual(withTable(theirs, 15));
  });

  it("are read as the kernel tells them, whoever has set them", () => {
    const rules = payloads("rule-dump-4").slice(0, -1).map(decodeRule);
    expect(rules).toEqual([
      { rule: { kind: "rule", family: 4, priority: 0, table: 255 }, protocol: 2 },
      { rule: RULE, protocol },
      { rule: { kind: "rule", family: 4, priority: 32_766, table: 254 }, protocol: 2 },
      { rule: { kind: "rule", family: 4, priority: 32_767, table: 253 }, protocol: 2 },
    ]);
  });

  it.each([RULE, RULE6, { ...RULE6, fwmark: 16, table: 254 }])("come back as they were asked for: %o", (rule) => {
    expect(decodeRule(encodeRule({ rule, protocol }))).toEqual({ rule, protocol });
  });

  it("that do something else than name a table mean nothing here", () => {
    const bytes = encodeRule({ rule: RULE, protocol });
    bytes[7] = 6;
    expect(decodeRule(bytes)).toBeUndefined();
  });

  it("are listed for one family", () => {
    expect(toHex(encodeRuleDump(6))).toBe("0a0000000000000000000000");
  });

  it("survive hostile bytes", () => {
    const inputs = payloads("rule-dump-4").slice(0, -1);
    expect(
      misbehaviour(
        decodeRule,
        inputs.flatMap((bytes) => [...truncations(bytes), ...mutations(bytes, 300)]),
      ),
    ).toEqual([]);
  });
});

describe.runIf(LITTLE_ENDIAN)("an address with a scope and without a route to its network", () => {
  it("is asked for as ip does, but for the mark", () => {
    const theirs = first("ip-address-add-scope");
    const ours = encodeNewAddress({
      bytes: ipBytes("10.9.8.7"),
      prefix: 24,
      index: 2,
      mark: 0x76,
      scope: "link",
      noPrefixRoute: true,
      lifetimeS: 30,
    });
    expect(toHex(ours.slice(0, 8))).toBe(toHex(theirs.slice(0, 8)));
    const told = (bytes: Uint8Array): unknown =>
      Object.fromEntries([...attributeMap(bytes.subarray(8))].filter(([type]) => type !== 11));
    expect(told(ours)).toEqual(told(theirs));
  });
});

describe.runIf(LITTLE_ENDIAN)("a refusal", () => {
  it("has the kernel's reason where its flags say that there is one", () => {
    const refused = first("refusal").slice(0, 20);
    const reason = encodeAttribute(1, new TextEncoder().encode("Nexthop has invalid gateway\0"));
    const payload = Uint8Array.of(...refused, ...reason);
    expect(decodeVerdict(payload, 0x300)).toMatchObject({ errno: 19, reason: "Nexthop has invalid gateway" });
    expect(decodeVerdict(payload, 0x100)).not.toHaveProperty("reason");
    expect(decodeVerdict(refused, 0x300)).not.toHaveProperty("reason");
  });
});

it("the types of messages are those of linux/rtnetlink.h", () => {
  expect(decodeMessages(captured("route-dump-4"))[0]?.type).toBe(RTM_NEWROUTE);
  expect(decodeMessages(captured("rule-dump-4"))[0]?.type).toBe(RTM_NEWRULE);
});

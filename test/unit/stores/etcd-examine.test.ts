import type { IStatusResponse } from "etcd3";
import { describe, expect, test } from "vitest";
import { isBelowFloor, judgeMembers, type MemberWord } from "../../../adapters/etcd/examine.ts";
import type { EtcdOptions } from "../../../adapters/etcd/url.ts";

test.each([
  ["3.4.23", true],
  ["3.4.42", false],
  ["3.5.27", true],
  ["3.5.28", false],
  ["3.6.8", true],
  ["3.6.9", false],
  ["3.7.0", false],
  ["3.3.99", true],
  ["4.0.0", false],
  ["", false],
])("version %s is below its floor: %s", (version, below) => {
  expect(isBelowFloor(version)).toBe(below);
});

const OPTIONS: EtcdOptions = { endpoints: [], tls: null, auth: null, compact: "auto", retentionMs: 600_000 };
const NOW = 1_800_000_000_000;

function member(address: string, status: Partial<IStatusResponse> = {}): MemberWord {
  const whole = { version: "3.6.9", dbSize: "2000000", errors: [], ...status };
  return { address, status: whole as unknown as IStatusResponse, trouble: undefined };
}

const THREE = ["10.0.0.1:2379", "10.0.0.2:2379", "10.0.0.3:2379"];

function toMend(members: readonly MemberWord[], options: Partial<EtcdOptions> = {}, baseMs = NOW): readonly string[] {
  return judgeMembers(members, { ...OPTIONS, ...options }, { baseMs, wallMs: NOW })
    .filter(({ fix }) => fix !== null)
    .map(({ text }) => text);
}

describe("the members", () => {
  const secure = { tls: {} };

  test("three new ones with TLS: nothing is to be fixed", () => {
    const members = THREE.map((address) => member(address));
    expect(toMend(members, secure)).toEqual([]);
    expect(judgeMembers(members, { ...OPTIONS, ...secure }, { baseMs: NOW, wallMs: NOW })[0]?.text).toBe("etcd 3.6.9");
  });

  test.each<[string, readonly MemberWord[], Partial<EtcdOptions>, string]>([
    ["an old version is named once", THREE.map((a) => member(a, { version: "3.4.23" })), secure, "3.4.23 has bugs"],
    [
      "a silent member",
      [member(THREE[0] ?? ""), { address: "h:1", status: undefined, trouble: "no" }],
      secure,
      "h:1 cannot be asked: no",
    ],
    ["one endpoint", [member("10.0.0.1:2379")], secure, "one endpoint"],
    ["an alarm", THREE.map((a) => member(a, { errors: ["alarm:NOSPACE"] })), secure, "etcd complains: alarm:NOSPACE"],
    ["a large database", THREE.map((a) => member(a, { dbSize: "1500000000" })), secure, "1500.0 MB"],
    ["no TLS", THREE.map((a) => member(a)), {}, "not encrypted"],
  ])("%s", (_what, members, options, text) => {
    expect(toMend(members, options)).toEqual([expect.stringContaining(text)]);
  });

  test("a clock that is behind the epoch", () => {
    expect(
      toMend(
        THREE.map((address) => member(address)),
        secure,
        NOW + 60_000,
      ),
    ).toEqual([expect.stringContaining("60 s behind")]);
  });

  test("on this host nobody else listens", () => {
    expect(toMend([member("127.0.0.1:2379")])).toEqual([]);
  });
});

// Text from elsewhere that is cut, and store URLs that are shown to people.

import { describe, expect, test } from "vitest";
import { hasSecret, redactUrl, storeScheme } from "../../../src/base/store-url.ts";
import { clip } from "../../../src/base/text.ts";

test.each<[string, number, string]>([
  ["", 5, ""],
  ["short", 5, "short"],
  ["longer", 5, "lo..."],
  ["x".repeat(1_000), 10, "xxxxxxx..."],
])("%j cut to %d is %j", (text, most, cut) => {
  expect(clip(text, most)).toBe(cut);
});

test.each([4, 5, 6, 100])("text that is cut to %d is never longer", (most) => {
  for (let length = 0; length < 120; length += 1)
    expect(clip("x".repeat(length), most).length).toBeLessThanOrEqual(most);
});

describe("the scheme of a store URL", () => {
  test.each<[string, string | undefined]>([
    ["sqlite:/var/lib/vipd/fleet.db", "sqlite"],
    ["REDISS://a,b", "rediss"],
    ["etcd+tls://a", "etcd+tls"],
    ["/var/lib/vipd/fleet.db", undefined],
    ["1password:x", undefined],
    [":x", undefined],
    ["", undefined],
  ])("of %j is %j", (url, scheme) => {
    expect(storeScheme(url)).toBe(scheme);
  });
});

describe("a store URL that is shown", () => {
  test.each<[string, string]>([
    ["redis://user:secret@10.0.0.5:6379/0", "redis://***@10.0.0.5:6379/0"],
    ["redis://:secret@a:1,b:2", "redis://***@a:1,b:2"],
    ["etcd://root:se@cret@a:2379", "etcd://***@a:2379"],
    ["sqlite:/var/lib/vipd/fleet.db", "sqlite:/var/lib/vipd/fleet.db"],
    ["redis://a?password=secret&db=3", "redis://a?password=***&db=3"],
    ["redis://a?sentinelPassword=secret", "redis://a?sentinelPassword=***"],
    ["etcd://a?token=secret&key=/etc/key.pem", "etcd://a?token=***&key=/etc/key.pem"],
    ["redis://:pa/ss+w=@a:6379", "redis://***@a:6379"],
    ["redis://:pa?ss#w@a:6379/0", "redis://***@a:6379/0"],
    ["me@host: sqlite:/var/lib/vipd/fleet.db", "me@host: sqlite:/var/lib/vipd/fleet.db"],
    ["sqlite://:pw@host", "sqlite://***@host"],
    ["redis://me:hu sh@h", "redis://***@h"],
    ["redis:me:hush@h", "redis:***@h"],
    ["two: redis://u:p@a and redis://v:q@b", "two: redis://***@a and redis://***@b"],
    ["sqlite://:secret@host", "sqlite://***@host"],
    ["redis:user:secret@host", "redis:***@host"],
    ["redis:/user:secret@host", "redis:***@host"],
    ["user:secret@host:6379", "user:***@host:6379"],
    ["//user:secret@host", "//***@host"],
    ["redis://user:my secret@host", "redis://***@host"],
    ["redis://user:sec//ret@host", "redis://***@host"],
    ["redis://a?pass=secret&pw=secret&auth=x", "redis://a?pass=***&pw=***&auth=***"],
    ["redis://a?passwordFile=/etc/vipd/password", "redis://a?passwordFile=/etc/vipd/password"],
    ["sqlite:/mnt/@home/fleet.db", "sqlite:/mnt/@home/fleet.db"],
    ["etcds://a?key=/etc/vipd/client.key", "etcds://a?key=/etc/vipd/client.key"],
    ["etcds://a?key=%2Fetc%2Fvipd%2Fclient.key", "etcds://a?key=%2Fetc%2Fvipd%2Fclient.key"],
    ["etcds://a?key=verysecret", "etcds://a?key=***"],
  ])("%s", (url, shown) => {
    expect(redactUrl(url)).toBe(shown);
  });

  test.each<[string, boolean]>([
    ["redis://user:secret@a", true],
    ["redis://:secret@a", true],
    ["redis:user:secret@a", true],
    ["etcd://a?password=secret", true],
    ["redis://user@a", false],
    ["redis://a:6379?passwordFile=/etc/vipd/password", false],
    ["sqlite:/mnt/@home/fleet.db", false],
  ])("whether %s has a secret in itself: %j", (url, has) => {
    expect(hasSecret(url)).toBe(has);
  });

  test.each(["/", "?", ":", "?pass", "pass", "//:"])("is the same when it is nothing but %s, however many", (part) => {
    const text = part.repeat(200_000);
    expect(redactUrl(text)).toBe(text);
  });
});

// Keys of virtual routers that stand in files of their own.

import { expect, test } from "vitest";
import { withKeyFiles } from "../../../src/config/vrrp-keys.ts";
import { describeDifference } from "../../../src/config/difference.ts";
import { parse } from "./files.ts";

const KEY = "0123456789abcdef0123456789abcdef";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const CONFIG = parse(
  `vips:\n  web:\n    interface: eth0\n    addresses: [10.0.0.50/24]\n    election: vrrp\n    vrrp: { id: 51, hmac: { keys: [{ id: 1, secret: ${KEY} }, { id: 2, secretFile: /etc/vipd/two.key }] } }\n`,
);
const PLACE = "vips.web.vrrp.hmac.keys[1].secretFile: /etc/vipd/two.key";

test.each([
  ["as it is", KEY],
  ["without the line end of an editor", `${KEY}\n`],
  ["without that of another editor", `${KEY}\r\n`],
])("a key is what its file holds, %s", (_what, content) => {
  const { vips } = withKeyFiles(CONFIG, (path) => bytes(path === "/etc/vipd/two.key" ? content : ""));
  expect(vips[0]?.vrrp).toMatchObject({
    authentication: {
      keys: [
        { id: 1, secret: bytes(KEY) },
        { id: 2, secret: bytes(KEY) },
      ],
      sendKeyId: 1,
    },
    keyFiles: [],
  });
});

test.each([
  ["empty", "", `${PLACE} has 0 bytes; use 32 to 64 bytes, such as those of: openssl rand -hex 32`],
  ["too long", KEY + KEY + "x", `${PLACE} has 65 bytes; use 32 to 64 bytes, such as those of: openssl rand -hex 32`],
])("a key that is %s is refused, with its place and not its content", (_what, content, told) => {
  expect(() => withKeyFiles(CONFIG, () => bytes(content))).toThrow(
    expect.objectContaining({ code: "config", message: told }),
  );
});

test("a file that cannot be read is told with its place", () => {
  const read = (): never => {
    throw new Error("EACCES: permission denied");
  };
  expect(() => withKeyFiles(CONFIG, read)).toThrow(
    expect.objectContaining({ code: "config", message: `${PLACE} cannot be read: EACCES: permission denied` }),
  );
});

test("another content of the same file is a change for a reload", () => {
  const [before, after] = [KEY, KEY.toUpperCase()].map((content) => withKeyFiles(CONFIG, () => bytes(content)));
  if (before === undefined || after === undefined) throw new Error("two configurations");
  expect(describeDifference(before, before).none).toBe(true);
  expect(describeDifference(before, after).vips.changed.map(({ fields }) => fields)).toEqual([["vrrp"]]);
});

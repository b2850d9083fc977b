// JSON text from elsewhere.

import { expect, test } from "vitest";
import { parseJson } from "../../../src/base/json.ts";

test.each<[string, unknown]>([
  ['{"a":[1,null]}', { a: [1, null] }],
  ["null", null],
  ["false", false],
  [' "text" ', "text"],
])("%s is read", (text, value) => {
  expect(parseJson(text)).toEqual(value);
});

test.each(["", " ", "{", "undefined", "{'a':1}", '{"a":1}}', "\0", "NaN", "[".repeat(100_000)])(
  "%j is none",
  (text) => {
    expect(parseJson(text)).toBeUndefined();
  },
);

test("a key that names the prototype is a plain key", () => {
  const read = parseJson('{"__proto__":{"admin":true}}') as { admin?: boolean };
  expect(read.admin).toBeUndefined();
  expect(Object.keys(read)).toEqual(["__proto__"]);
});

// What is kept of real servers counts for one boot and one network namespace; what is down by hand counts for all.

import { expect, test } from "vitest";
import { isNothing, type KeptNamespace, keptIn, NOTHING, readKept, withKept } from "../../../src/realserver/record.ts";

const HERE = { bootId: "b1", networkNamespace: "4:1" };
const OURS: KeptNamespace = {
  servers: [{ name: "web", by: "file", addresses: [{ family: 4, ip: "10.0.0.50" }], interfaces: ["eth0"] }],
  leaving: [{ family: 6, ip: "2001:db8::50" }],
  settings: [{ interface: "eth0", index: 2, setting: "arpIgnore", before: 0, set: 1 }],
  refused: [{ ip: "10.0.0.50", message: "10.0.0.50: lo refuses it" }],
};

const kept = withKept(undefined, HERE, OURS, ["db"]);

test("what is written is read, in its namespace and in no other", () => {
  const read = readKept(JSON.stringify(kept));
  expect(keptIn(read, HERE)).toEqual(OURS);
  expect(keptIn(read, { ...HERE, networkNamespace: "4:2" })).toEqual(NOTHING);
  expect(keptIn(read, { ...HERE, bootId: "b2" })).toEqual(NOTHING);
  expect(read?.down).toEqual(["db"]);
});

test("what an earlier version has written is read, without reasons; long ones are cut", () => {
  const { refused: _refused, ...former } = OURS;
  const text = JSON.stringify({ ...kept, places: [{ network: HERE.networkNamespace, place: former }] });
  expect(keptIn(readKept(text), HERE)).toEqual({ ...OURS, refused: [] });
  const long = withKept(kept, HERE, { ...OURS, refused: [{ ip: "10.0.0.50", message: "x".repeat(9_999) }] }, []);
  expect(readKept(JSON.stringify(long))).toEqual(long);
});

test("another namespace of the boot is kept beside it; those of another boot go", () => {
  const both = withKept(kept, { ...HERE, networkNamespace: "4:2" }, OURS, []);
  expect(both.places.map(({ network }) => network)).toEqual(["4:1", "4:2"]);
  expect(
    withKept(both, { bootId: "b2", networkNamespace: "4:3" }, OURS, []).places.map(({ network }) => network),
  ).toEqual(["4:3"]);
});

test("a namespace without anything is not kept, and of very many the oldest go", () => {
  expect(isNothing(withKept(kept, HERE, NOTHING, []))).toBe(true);
  expect(isNothing(withKept(kept, HERE, NOTHING, ["db"]))).toBe(false);
  let many = kept;
  for (let i = 0; i < 100; i++) many = withKept(many, { ...HERE, networkNamespace: `5:${i}` }, OURS, []);
  expect(many.places.length).toBe(64);
  expect(many.places.at(-1)?.network).toBe("5:99");
});

test.each([
  "",
  "{}",
  "[]",
  "null",
  JSON.stringify({ ...kept, version: 2 }),
  JSON.stringify(kept).replace("10.0.0.50", "10.0.0.999"),
  JSON.stringify(kept).replace('"family":4', '"family":6'),
  JSON.stringify(kept).replace("2001:db8::50", "2001:DB8::50"),
  JSON.stringify(kept).replace("arpIgnore", "rp_filter"),
  JSON.stringify(kept).replace('"index":2', '"index":-2'),
  JSON.stringify(kept).replace('"before":0', '"before":2'),
  JSON.stringify(kept).replace('"before":0', '"before":-2147483649'),
  JSON.stringify(kept).replace('"set":1', '"set":0'),
  JSON.stringify(kept).replace('"set":1', '"set":3'),
])("is not understood: %s", (text) => {
  expect(readKept(text)).toBeUndefined();
});

test("a list that is longer than ever written is not understood, and is never written", () => {
  const many = <T>(one: T, count: number): T[] => Array.from({ length: count }, () => one);
  const of = (change: Partial<KeptNamespace>): string =>
    JSON.stringify({ ...kept, places: [{ network: "4:1", place: { ...OURS, ...change } }] });
  const leaving = many({ family: 6 as const, ip: "2001:db8::50" }, 32_769);
  const settings = OURS.settings.flatMap((one) => many(one, 16_385));
  expect(readKept(of({ leaving }))).toBeUndefined();
  expect(readKept(of({ settings }))).toBeUndefined();
  expect(readKept(JSON.stringify({ ...kept, places: many({ network: "4:1", place: OURS }, 65) }))).toBeUndefined();
  const written = withKept(undefined, HERE, { ...OURS, leaving, settings }, []);
  expect(readKept(JSON.stringify(written))).toEqual(written);
});

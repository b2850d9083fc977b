// What is kept of real servers counts for one boot and one network namespace; what is down by hand counts for all.

import { expect, test } from "vitest";
import { isNothing, NOTHING, type Place, placeOf, readKept, withPlace } from "../../../src/realserver/record.ts";

const HERE = { bootId: "b1", network: "4:1" };
const PLACE: Place = {
  servers: [{ name: "web", by: "file", addresses: [{ family: 4, ip: "10.0.0.50" }], interfaces: ["eth0"] }],
  leaving: [{ family: 6, ip: "2001:db8::50" }],
  settings: [{ interface: "eth0", index: 2, setting: "arpIgnore", before: 0, set: 1 }],
  refused: [{ ip: "10.0.0.50", message: "10.0.0.50: lo refuses it" }],
};

const kept = withPlace(undefined, HERE, PLACE, ["db"]);

test("what is written is read, in its place and in no other", () => {
  const read = readKept(JSON.stringify(kept));
  expect(placeOf(read, HERE)).toEqual(PLACE);
  expect(placeOf(read, { ...HERE, network: "4:2" })).toEqual(NOTHING);
  expect(placeOf(read, { ...HERE, bootId: "b2" })).toEqual(NOTHING);
  expect(read?.down).toEqual(["db"]);
});

test("what an earlier version has written is read, without reasons; long ones are cut", () => {
  const { refused: _refused, ...former } = PLACE;
  const text = JSON.stringify({ ...kept, places: [{ network: HERE.network, place: former }] });
  expect(placeOf(readKept(text), HERE)).toEqual({ ...PLACE, refused: [] });
  const long = withPlace(kept, HERE, { ...PLACE, refused: [{ ip: "10.0.0.50", message: "x".repeat(9_999) }] }, []);
  expect(readKept(JSON.stringify(long))).toEqual(long);
});

test("another namespace of the boot is kept beside it; those of another boot go", () => {
  const both = withPlace(kept, { ...HERE, network: "4:2" }, PLACE, []);
  expect(both.places.map(({ network }) => network)).toEqual(["4:1", "4:2"]);
  expect(withPlace(both, { bootId: "b2", network: "4:3" }, PLACE, []).places.map(({ network }) => network)).toEqual([
    "4:3",
  ]);
});

test("a namespace that has the inode of one that is gone is another one; a record by inode alone is taken up once", () => {
  const here = { bootId: "b1", network: "4:1:100", inode: "4:1" };
  expect(placeOf(withPlace(undefined, { ...here, network: "4:1:99" }, PLACE, []), here)).toEqual(NOTHING);
  expect(placeOf(kept, here)).toEqual(PLACE);
  expect(withPlace(kept, here, PLACE, []).places.map(({ network }) => network)).toEqual(["4:1:100"]);
});

test("a place without anything is not kept, and of very many the oldest go", () => {
  expect(isNothing(withPlace(kept, HERE, NOTHING, []))).toBe(true);
  expect(isNothing(withPlace(kept, HERE, NOTHING, ["db"]))).toBe(false);
  let many = kept;
  for (let i = 0; i < 100; i++) many = withPlace(many, { ...HERE, network: `5:${i}` }, PLACE, []);
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
  const of = (change: Partial<Place>): string =>
    JSON.stringify({ ...kept, places: [{ network: "4:1", place: { ...PLACE, ...change } }] });
  const leaving = many({ family: 6 as const, ip: "2001:db8::50" }, 32_769);
  const settings = PLACE.settings.flatMap((one) => many(one, 16_385));
  expect(readKept(of({ leaving }))).toBeUndefined();
  expect(readKept(of({ settings }))).toBeUndefined();
  expect(readKept(JSON.stringify({ ...kept, places: many({ network: "4:1", place: PLACE }, 65) }))).toBeUndefined();
  const written = withPlace(undefined, HERE, { ...PLACE, leaving, settings }, []);
  expect(readKept(JSON.stringify(written))).toEqual(written);
});

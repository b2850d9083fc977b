import { describe, expect, test } from "vitest";
import { type Ask, findMaster } from "../../../adapters/redis/masters.ts";
import { parseMaster } from "../../../adapters/redis/sentinel.ts";
import type { Address } from "../../../adapters/redis/url.ts";

const at = (host: string): Address => ({ host, port: 1 });
const ASKED = [at("s1"), at("s2"), at("s3")];

/** What each says: a master's host, "" for none, an error, or never. */
function witnesses(...say: readonly (string | Error | undefined)[]): Ask {
  return (whom) => {
    const answer = say[ASKED.indexOf(whom)];
    if (answer === undefined) return new Promise(() => {});
    if (answer instanceof Error) return Promise.reject(answer);
    return Promise.resolve({ master: answer === "" ? undefined : at(answer), others: [at(`by-${whom.host}`)] });
  };
}

describe("the master is who more than half of all name", () => {
  test("one that is cut off is outvoted, wherever it stands in the list", async () => {
    expect((await findMaster(ASKED, witnesses("old", "new", "new"))).master).toEqual(at("new"));
    expect((await findMaster(ASKED, witnesses("new", "new", "old"))).master).toEqual(at("new"));
  });

  test("as soon as more than half agree, nobody waits for the rest", async () => {
    expect((await findMaster(ASKED, witnesses(undefined, "m", "m"))).master).toEqual(at("m"));
  });

  test("where the others fail, one is not believed; what else there is to ask is learned", async () => {
    const found = await findMaster(ASKED, witnesses(new Error("no"), "m", new Error("connect ECONNREFUSED")));
    expect(found).toMatchObject({
      master: undefined,
      others: [at("by-s2")],
      trouble: expect.stringMatching(
        /^1 of 3 name the same master, and more than half must: s3:1: connection refused/u,
      ),
    });
  });

  test("half is not more than half", async () => {
    const four = [...ASKED, at("s4")];
    const ask: Ask = ({ host }) => Promise.resolve({ master: at(host < "s3" ? "old" : "new"), others: [] });
    expect((await findMaster(four, ask)).master).toBeUndefined();
  });

  test("nobody knows: the trouble is told", async () => {
    const trouble = "0 of 3 name the same master, and more than half must";
    expect(await findMaster(ASKED, witnesses("", "", ""))).toMatchObject({ master: undefined, trouble });
  });
});

describe("what Sentinel answers", () => {
  test("an address, or that it knows none", () => {
    expect(parseMaster(["10.0.0.1", "6379"])).toEqual({ master: { host: "10.0.0.1", port: 6379 }, others: [] });
    expect(parseMaster(null)).toEqual({ master: undefined, others: [] });
  });

  test.each([["text"], [["h"]], [["h", "x"]], [["h", 1]], [["", "1"]]])("hostile: %j", (hostile) => {
    expect(() => parseMaster(hostile)).toThrow(expect.objectContaining({ code: "store-corrupt" }));
  });
});

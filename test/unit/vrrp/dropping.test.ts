// Adverts that are not believed, what people are told of them, and two masters that see each other.

import { describe, expect, test } from "vitest";
import type { VrrpAdvert } from "../../../src/base/vrrp.ts";
import { KEEPALIVED_2_2, type VrrpRouter } from "../../../src/vrrp/router.ts";
import { HIGHER, Lab, LOWER, OWN } from "./lab.ts";

type Given = Partial<VrrpAdvert> & { readonly multicast?: boolean };

const UNICAST = { reach: { kind: "unicast", peers: [HIGHER] } } as const;
const LIST = { addresses: ["10.77.0.50", "10.77.0.51"] };

const DROPPED: readonly { reason: string; own?: Partial<VrrpRouter>; source?: string; given?: Given; text: string }[] =
  [
    { reason: "own-address", source: OWN, text: "two hosts have it" },
    { reason: "reach-mismatch", given: { multicast: false }, text: "to this host alone" },
    { reason: "reach-mismatch", own: UNICAST, given: { multicast: true }, text: "unicast peers are configured" },
    { reason: "unknown-peer", own: UNICAST, source: "10.77.0.8", text: "none of the configured peers" },
    { reason: "version-mismatch", given: { version: 3 }, text: "version 3, and 2 is configured" },
    { reason: "version-mismatch", own: { version: 3 }, given: { version: 2 }, text: "version 2, and 3 is configured" },
    { reason: "interval-mismatch", given: { intervalMs: 2_000 }, text: "its interval is 2 s, and 1 s is configured" },
    { reason: "addresses-differ", own: LIST, given: { addresses: ["10.77.0.51"] }, text: "it lacks 10.77.0.50" },
    { reason: "addresses-differ", given: LIST, text: "it has 10.77.0.51, not configured here" },
    { reason: "addresses-differ", given: { addresses: ["10.77.0.50", "10.77.0.50"] }, text: "more than once" },
  ];

describe("an advert that does not fit", () => {
  test.each(DROPPED)(
    "$reason: is dropped, and people are told: $text",
    ({ reason, own = {}, source = HIGHER, given = {}, text }) => {
      const lab = new Lab(own).advance(1_000).hear(200, source, given);
      expect(lab.transcript[1]).toMatch(`1.000 warning ${reason}: a packet of ${source} was dropped: `);
      expect(lab.transcript[1]).toContain(text);
      // It did not put off the takeover, and it does not end the mastership.
      expect(lab.waitFor(() => lab.holds)).toBe(2_610);
      expect(lab.hear(200, source, given).advance(0).phase).toBe("master");
    },
  );

  test("does not matter to the order of the addresses", () => {
    const lab = new Lab(LIST).advance(1_000).hear(200, HIGHER, { addresses: LIST.addresses.toReversed() });
    expect(lab.waitFor(() => lab.holds)).toBe(3_610);
  });

  test("is accepted from a peer that is configured", () => {
    expect(new Lab(UNICAST).becomeMaster().hear(200, HIGHER).advance(0).phase).toBe("backup");
  });

  test("by its addresses may be tolerated, and is told all the same", () => {
    const rules = { ...KEEPALIVED_2_2, foreignAddresses: "accept" } as const;
    const lab = new Lab({ rules }).becomeMaster().hear(200, HIGHER, LIST).advance(0);
    expect(lab.phase).toBe("backup");
    expect(lab.transcript[0]).toContain(
      "warning addresses-differ: an advert of 10.77.0.9 does not fit: it has 10.77.0.51",
    );
  });
});

describe("a packet that is no advert", () => {
  test("changes nothing, and people are told why", () => {
    const lab = new Lab()
      .advance(1_000)
      .post({ type: "refused", fault: { reason: "hop-limit", hopLimit: 64 }, source: HIGHER });
    expect(lab.transcript[1]).toBe(
      `1.000 warning hop-limit: a packet of ${HIGHER} was dropped: the TTL or hop limit is 64, not 255: the packet has passed a router`,
    );
    expect(lab.waitFor(() => lab.holds)).toBe(2_610);
  });
});

describe("notes that anyone can cause", () => {
  const flood = (lab: Lab, ms: number): Lab => {
    for (let i = 0; i < ms / 10; i += 1) lab.hear(200, HIGHER, { version: 3 }).advance(10);
    return lab;
  };

  test("are told at once the first time, and then as a count once a minute", () => {
    const lab = new Lab().becomeMaster();
    flood(lab, 150_000);
    const notes = lab.transcript.filter((line) => line.includes("version-mismatch"));
    expect(notes.map((line) => line.slice(0, 46))).toEqual([
      "3.610 warning version-mismatch: a packet of 10",
      "63.610 warning version-mismatch x5999: a packe",
      "123.610 warning version-mismatch x6000: a pack",
    ]);
  });

  test("are told when the flood is over, too, and forgotten after a quiet minute", () => {
    const lab = new Lab().becomeMaster();
    flood(lab, 1_000).advance(200_000);
    expect(lab.transcript.map((line) => line.slice(0, 36))).toEqual([
      "3.610 warning version-mismatch: a pa",
      "63.610 warning version-mismatch x99:",
    ]);
    lab.hear(200, HIGHER, { version: 3 });
    expect(lab.transcript.at(-1)).toMatch(/^204\.610 warning version-mismatch: /u);
    expect(lab.state.notes.size).toBe(1);
  });

  test("of different kinds do not hide each other", () => {
    const lab = new Lab().becomeMaster().hear(200, HIGHER, { version: 3 }).hear(200, OWN).hear(200, HIGHER, LIST);
    expect(lab.transcript.map((line) => line.split(" ")[2])).toEqual([
      "version-mismatch:",
      "own-address:",
      "addresses-differ:",
    ]);
  });
});

describe("two masters that see each other", () => {
  test("are a conflict from the second one's first advert until it has been silent for long", () => {
    const lab = new Lab().becomeMaster().advance(5_000).hear(90);
    lab.hearFor(10_000, 90).advance(60_000);
    expect(lab.transcript.filter((line) => line.includes("conflict"))).toEqual([
      `8.610 conflict-begins: ${LOWER} (90)`,
      `22.110 conflict-ends: ${LOWER} (90)`,
    ]);
    expect(lab.holds).toBe(true);
  });

  test("are none when the other's advert crossed with the takeover", () => {
    const lab = new Lab().becomeMaster().advance(2).hear(90);
    expect(lab.transcript.join("\n")).not.toContain("conflict");
    lab.advance(1_000).hear(90);
    expect(lab.transcript.at(-1)).toBe(`4.612 conflict-begins: ${LOWER} (90)`);
  });

  test("are none when the other says farewell", () => {
    const lab = new Lab().becomeMaster().advance(5_000).hear(0);
    expect(lab.transcript.join("\n")).not.toContain("conflict");
  });

  test("are told also where a lower priority is not answered", () => {
    const rules = { ...KEEPALIVED_2_2, answerLower: false };
    const lab = new Lab({ rules }).becomeMaster().advance(5_000).hear(90);
    expect(lab.transcript).toEqual([`8.610 conflict-begins: ${LOWER} (90)`]);
  });

  test("are over when this one gives up", () => {
    const lab = new Lab().becomeMaster().advance(5_000).hear(90).hear(200, HIGHER);
    expect(lab.transcript.slice(-3)).toEqual([
      "8.610 hush",
      `8.610 lose: the master ${HIGHER} takes precedence`,
      `8.610 conflict-ends: ${LOWER} (90)`,
    ]);
  });
});

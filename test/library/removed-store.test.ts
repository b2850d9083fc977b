// Members whose SQLite file is deleted under them: they notice, make another, and begin a new epoch without a restart.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FleetMember, joinFleet } from "../../src/index.ts";

const TTL_MS = 600;

let directory = "";
let members: FleetMember[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdm-"));
});

afterEach(async () => {
  await Promise.all(members.map((member) => member.leave()));
  members = [];
  rmSync(directory, { recursive: true, force: true });
});

/** Campaigns for good; the tokens of all terms, and how many lead now. */
class Terms {
  readonly tokens: bigint[] = [];
  leading = 0;
  most = 0;

  async join(node: string): Promise<void> {
    const member = await joinFleet({ store: `sqlite:${directory}/fleet.db`, fleet: "test", ttlMs: TTL_MS, node });
    members.push(member);
    void member.lead("job", (leadership) => this.work(leadership), { again: true }).catch(() => {});
  }

  private async work({ token, signal }: { readonly token: bigint; readonly signal: AbortSignal }): Promise<void> {
    this.tokens.push(token);
    this.leading += 1;
    this.most = Math.max(this.most, this.leading);
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    this.leading -= 1;
  }
}

test.each([
  ["with the files beside it", ["", "-wal", "-shm"]],
  ["alone", [""]],
  ["with its directory", undefined],
])("the file is deleted %s: one leads again, one at a time, under a greater token", async (_what, suffixes) => {
  const path = join(directory, "fleet.db");
  const terms = new Terms();
  for (const node of ["a", "b", "c"]) await terms.join(node);
  await expect.poll(() => terms.leading, { timeout: 10_000 }).toBe(1);
  for (let round = 2; round < 4; round += 1) {
    if (suffixes === undefined) rmSync(directory, { recursive: true });
    else for (const suffix of suffixes) rmSync(path + suffix);
    await expect.poll(() => terms.leading, { timeout: 5_000, interval: 5 }).toBe(0);
    await expect.poll(() => terms.tokens.length, { timeout: 15_000 }).toBe(round);
  }
  expect(terms.tokens).toEqual(terms.tokens.toSorted((a, b) => (a < b ? -1 : 1)));
  expect(terms.most).toBe(1);
});

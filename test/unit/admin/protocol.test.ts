// The admin protocol's schemas: they pass what the other side writes, and nothing else.

import { describe, expect, test } from "vitest";
import {
  electionSchema,
  failureSchema,
  statusSchema,
  stepDownRequestSchema,
  stepDownViewSchema,
  versionSchema,
} from "../../../src/admin/protocol.ts";
import type { RealServerView } from "../../../src/admin/real-server-view.ts";
import type { CheckView } from "../../../src/admin/check-view.ts";
import type { ElectionView, StatusView } from "../../../src/admin/views.ts";
import { MAX_REASON_LENGTH } from "../../../src/base/reasons.ts";
import { electionView, historyView, lossView, nodeView, ineligibleReasonView, statusView } from "./views.ts";

const LOSS = lossView({ atWallMs: 1 });

/** A view in which nothing that can be there is missing. */
const FULL: ElectionView = electionView({
  role: "holder",
  validForMs: 2_100,
  priority: 150,
  eligible: false,
  elector: "lease",
  ineligibleReasons: [ineligibleReasonView(), ineligibleReasonView({ source: "hold-backoff", forMs: 5_000 })],
  conflict: "02:00:00:00:00:99",
  history: [historyView(), historyView({ from: null, lastedMs: null, vacantMs: null, to: null, loss: LOSS })],
});

const SERVER: RealServerView = {
  name: "web",
  addresses: [{ family: 4, ip: "10.0.0.50" }],
  interfaces: ["eth0"],
  by: "file",
  state: "up",
  trouble: null,
};

const CHECK: CheckView = {
  name: "nginx",
  verdict: "failed",
  sinceMs: 1_000,
  reason: "HTTP 503",
  last: { reason: "HTTP 503", lastLine: "", agoMs: 10, tookMs: 2 },
  value: null,
  recovery: null,
  vips: ["web"],
};

/** As it comes from the other side. */
function sent(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** The paths of all values in a view; list entries are alike, so only the first of each counts. */
function pathsOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  const entries = Object.entries(Array.isArray(value) ? value.slice(0, 1) : value);
  return [path, ...entries.flatMap(([key, inner]) => pathsOf(inner, [...path, key]))].filter(
    ({ length }) => length > 0,
  );
}

/** The value with another one at `path`; `undefined` takes it away. */
function withAt(value: unknown, path: readonly string[], put: unknown): unknown {
  const copy = sent(value) as Record<string, unknown>;
  const parent = path
    .slice(0, -1)
    .reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, copy);
  const last = path.at(-1) ?? "";
  if (put === undefined && !Array.isArray(parent)) delete parent[last];
  else parent[last] = put;
  return copy;
}

describe("a view that is sent arrives as it was", () => {
  test("an election with everything that it can have", () => {
    expect(electionSchema.parse(sent(FULL))).toEqual(FULL);
  });

  test("an election of which hardly anything is known", () => {
    const bare = electionView({
      holder: null,
      holderAlive: null,
      token: null,
      sinceWallMs: null,
      lastHeartbeatAgeMs: null,
      ttlMs: null,
      interface: null,
      addresses: [],
      candidates: [],
    });
    expect(electionSchema.parse(sent(bare))).toEqual(bare);
  });

  test("a status, with and without wake-ups, with a node whose session cannot be read", () => {
    const view: StatusView = statusView({
      elections: [FULL],
      nodes: [nodeView(), nodeView({ lastHeartbeatAgeMs: null, ttlMs: null, sessionVersion: null })],
      realServers: [SERVER, { ...SERVER, by: "hand", state: "down", trouble: "10.0.0.50 is not on lo" }],
      checks: [CHECK, { ...CHECK, verdict: "pending", last: null, value: 3, recovery: 1, vips: [] }],
      wakeups: [{ name: "heartbeat", inMs: 312.5 }],
    });
    expect(statusSchema.parse(sent(view))).toEqual(view);
    expect(statusSchema.parse(sent({ ...view, wakeups: [] }))).toEqual({ ...view, wakeups: [] });
  });

  test("texts of the greatest length that a daemon writes", () => {
    const view = electionView({ history: [historyView({ reason: "x".repeat(MAX_REASON_LENGTH) })] });
    expect(electionSchema.parse(sent(view))).toEqual(view);
  });

  test("keys that this version does not know are left out", () => {
    expect(electionSchema.parse({ ...(sent(FULL) as object), novelty: 1 })).toEqual(FULL);
  });
});

describe("nothing of a view may be missing, or of another kind", () => {
  const view = statusView({
    elections: [FULL],
    fence: { kind: "inet", flushProof: false, caveats: ["a caveat"] },
    warnings: ["w"],
    checks: [CHECK],
    realServers: [{ ...SERVER, trouble: "10.0.0.50 is not on lo" }],
    wakeups: [{ name: "tick", inMs: 1 }],
  });
  const paths = [
    ...pathsOf(view),
    // The second entry alone has a loss.
    ...pathsOf(LOSS, ["elections", "0", "history", "1", "loss"]),
  ].map((path) => ({ name: path.join("."), path }));

  test("the paths cover the parts that are nested deepest", () => {
    const names = paths.map(({ name }) => name);
    expect(names).toContain("elections.0.ineligibleReasons.0.sinceMs");
    expect(names).toContain("elections.0.history.1.loss.reasonCode");
    expect(names).toContain("fence.caveats.0");
    expect(names).toContain("wakeups.0.inMs");
    expect(names).toContain("nodes.0.sessionVersion");
  });

  test.each(paths)("$name", ({ path }) => {
    expect(statusSchema.safeParse(withAt(view, path, undefined)).success).toBe(false);
    expect(statusSchema.safeParse(withAt(view, path, { hostile: true })).success).toBe(false);
  });
});

describe("hostile values are refused", () => {
  test.each<[string, Partial<Record<keyof ElectionView, unknown>>]>([
    ["a token that is no number", { token: "41n" }],
    ["a token as a number", { token: 41 }],
    ["an endless token", { token: "1".repeat(41) }],
    ["an unknown role", { role: "king" }],
    ["an endless text", { reason: "x".repeat(16_385) }],
    ["a history entry without a token", { history: [{ ...historyView(), token: null }] }],
    ["a loss that is no record of one", { history: [historyView({ loss: { atWallMs: 1 } as never })] }],
    ["a reason without its source", { ineligibleReasons: [{ ...ineligibleReasonView(), source: undefined }] }],
  ])("%s", (_what, change) => {
    expect(electionSchema.safeParse(sent({ ...FULL, ...change })).success).toBe(false);
  });

  test.each([[null], ["text"], [[]], [42], [{}]])("%j is no answer at all", (value) => {
    for (const schema of [statusSchema, electionSchema, versionSchema, stepDownViewSchema, failureSchema])
      expect(schema.safeParse(value).success).toBe(false);
  });
});

describe("a request to step down", () => {
  test("names an election, and a successor or none", () => {
    expect(stepDownRequestSchema.parse({ election: "web" })).toEqual({ election: "web", to: null });
    expect(stepDownRequestSchema.parse({ election: "web", to: "web2" })).toEqual({ election: "web", to: "web2" });
  });

  test.each([
    [{}],
    [{ election: "no/slash" }],
    [{ election: "web", to: "" }],
    [{ election: "web", force: true }],
    [{ election: ["web"] }],
  ])("%j is refused", (request) => {
    expect(stepDownRequestSchema.safeParse(request).success).toBe(false);
  });
});

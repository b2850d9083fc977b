// What etcd's errors mean: whether a request was surely not applied, may have been, and who may be asked next.

import { EtcdAuthenticationFailedError, EtcdInvalidAuthTokenError, GRPCUnavailableError } from "etcd3";
import { describe, expect, test } from "vitest";
import { commitFailure, type Fate, fateOf, readFailure } from "../../../adapters/etcd/failures.ts";
import { VipdError } from "../../../src/base/errors.ts";

const CASES: readonly (readonly [error: Error, fate: Fate, commit: string])[] = [
  [new GRPCUnavailableError("14 UNAVAILABLE: No connection established"), "unsent", "store-unavailable"],
  [new GRPCUnavailableError("14 UNAVAILABLE: Name resolution failed for target"), "unsent", "store-unavailable"],
  [new Error("14 UNAVAILABLE: Channel closed before call started"), "dropped", "store-unavailable"],
  [new EtcdInvalidAuthTokenError("etcdserver: invalid auth token"), "signed-out", "store-unavailable"],
  [new Error("16 UNAUTHENTICATED: etcdserver: invalid auth token"), "signed-out", "store-unavailable"],
  [new EtcdAuthenticationFailedError("authentication failed"), "refused", "store-unavailable"],
  [new Error("8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded"), "refused", "store-unavailable"],
  [new Error("3 INVALID_ARGUMENT: etcdserver: request is too large"), "refused", "store-unavailable"],
  [
    new Error("8 RESOURCE_EXHAUSTED: Received message larger than max (80000000 vs 70000000)"),
    "answer-too-long",
    "outcome-unknown",
  ],
  [new GRPCUnavailableError("14 UNAVAILABLE: Connection dropped"), "unknown", "outcome-unknown"],
  [new Error("4 DEADLINE_EXCEEDED: Deadline exceeded after 0.5s"), "unknown", "outcome-unknown"],
  [new Error("anything else"), "unknown", "outcome-unknown"],
];

describe.each(CASES.map(([error, fate, commit]) => ({ name: error.message, error, fate, commit })))(
  "$name",
  ({ error, fate, commit }) => {
    test(`is a request whose fate is ${fate}; a commit fails with ${commit}, a read with store-unavailable`, () => {
      expect(fateOf(error)).toBe(fate);
      expect(commitFailure(error, "h:1")).toMatchObject({ code: commit, cause: error, context: { endpoint: "h:1" } });
      expect(readFailure(error, "h:1")).toMatchObject({ code: "store-unavailable", cause: error });
    });
  },
);

test("a failure of vipd's own stays as it is", () => {
  const own = new VipdError("store-corrupt", "not ours");
  expect(commitFailure(own, "h:1")).toBe(own);
  expect(readFailure(own, "h:1")).toBe(own);
});

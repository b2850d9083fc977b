// What Redis's errors mean to the core. Only what Redis refused before it ran a script, or what surely never left this
// host, is a refusal; everything else may have been applied, or may yet be.

import { messageOf, VipdError } from "../../src/base/errors.ts";
import { isReply, plainWords } from "./words.ts";

/** ioredis says this when there was no connection to send on. */
const UNSENT = /stream isn't writeable|enableOfflineQueue|connection is not ready/iu;

/** Redis says this before a script has written anything, if only at its first write. */
const REFUSALS =
  /^(?:READONLY|MOVED|ASK|TRYAGAIN|CROSSSLOT|CLUSTERDOWN|MASTERDOWN|LOADING|MISCONF|OOM|NOREPLICAS|NOAUTH|WRONGPASS|NOSCRIPT|BUSY)\b/u;

/** Of which server a failure is, and what its connection has come to. */
export interface FailureContext {
  /** Names the server for people. */
  readonly place: string;
  /** Why there is no connection. */
  readonly trouble: Error | undefined;
}

/**
 * Whether a request that failed was surely not applied. A script that broke off in the middle has done what stands before
 * that: Redis takes nothing back.
 */
export function surelyNot(error: unknown): boolean {
  const text = messageOf(error);
  if (isReply(error)) return REFUSALS.test(text) || !/script/iu.test(text);
  return UNSENT.test(text);
}

/** The core's error for a failed commit. */
export function commitFailure(error: unknown, context: FailureContext): VipdError {
  return failure(surelyNot(error) ? "store-unavailable" : "outcome-unknown", error, context);
}

/** The core's error for a failed read. */
export function readFailure(error: unknown, context: FailureContext): VipdError {
  return failure("store-unavailable", error, context);
}

/** Why there is no connection says more than that there is none. */
function failure(
  code: "store-unavailable" | "outcome-unknown",
  error: unknown,
  { place, trouble }: FailureContext,
): VipdError {
  if (error instanceof VipdError) return error;
  const cause = UNSENT.test(messageOf(error)) ? trouble : error;
  const words = cause === undefined ? "there is no connection" : plainWords(cause);
  return new VipdError(code, `Redis at ${place}: ${words}`, {}, cause ?? error);
}

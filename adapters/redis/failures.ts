// What Redis's errors mean to the core. Only what Redis answered with an error, or what surely never left this host, is a
// refusal; everything else may have been applied, or may yet be.

import { messageOf, VipdError } from "../../src/base/errors.ts";

/** ioredis says this when there was no connection to send on. */
const UNSENT = /stream isn't writeable|enableOfflineQueue|connection is not ready/iu;

/** Whether a request that failed was surely not applied. */
export function surelyNot(error: unknown): boolean {
  return (error instanceof Error && error.name === "ReplyError") || UNSENT.test(messageOf(error));
}

/** The core's error for a failed commit; `trouble`: why there is no connection. */
export function commitFailure(error: unknown, trouble: string | undefined): VipdError {
  if (error instanceof VipdError) return error;
  return new VipdError(surelyNot(error) ? "store-unavailable" : "outcome-unknown", told(error, trouble), {}, error);
}

/** The core's error for a failed read. */
export function readFailure(error: unknown, trouble: string | undefined): VipdError {
  if (error instanceof VipdError) return error;
  return new VipdError("store-unavailable", told(error, trouble), {}, error);
}

/** ioredis's own words for "not connected" help nobody: why it is so does. */
function told(error: unknown, trouble: string | undefined): string {
  const text = UNSENT.test(messageOf(error)) ? "not connected" : messageOf(error);
  return `Redis: ${text}${trouble === undefined ? "" : `: ${trouble}`}`;
}

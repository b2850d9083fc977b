// Matches a regular expression against text that somebody else made. Some expressions take exponential time on some texts, so the
// engine is interrupted after a limit: this daemon renews leases on the same thread.

import { createContext, Script } from "node:vm";
import { VipdError, messageOf } from "../base/errors.ts";

/**
 * How long one match may hold the thread, in milliseconds. It is tried again once: the time may have been lost to a machine
 * that stood still, and no check shall fail by that.
 */
const MATCH_LIMITS_MS = [20, 40];

const MAX_PATTERN_LENGTH = 1_024;

/** Tells whether a text matches; "too-slow" when that was not known within the limit. */
export type Matcher = (text: string) => boolean | "too-slow";

/** Makes a matcher; throws "config" when the expression is none. */
export function matcherOf(source: string): Matcher {
  if (source.length > MAX_PATTERN_LENGTH)
    throw new VipdError("config", `a regular expression has at most ${MAX_PATTERN_LENGTH} characters`);
  try {
    RegExp(source, "su");
  } catch (error) {
    throw new VipdError("config", `${source} is no regular expression: ${messageOf(error)}`, {}, error);
  }
  const variables = { source, text: "" };
  const context = createContext(variables);
  const script = new Script("RegExp(source, 'su').test(text)");
  return (text) => {
    variables.text = text;
    for (const timeout of MATCH_LIMITS_MS) {
      try {
        return script.runInContext(context, { timeout }) === true;
      } catch (error) {
        if (!isInterruption(error)) throw error;
      }
    }
    return "too-slow";
  };
}

/** The error may be of the other context, and then it is no instance of our Error. */
function isInterruption(error: unknown): boolean {
  return (
    typeof error === "object" && error !== null && "code" in error && error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT"
  );
}

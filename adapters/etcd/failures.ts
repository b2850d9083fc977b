// What etcd's errors mean to the core. Only what etcd surely refused, or what surely never left this host, is a refusal;
// everything else may have been applied, or may yet be.

import {
  EtcdAuthenticationFailedError,
  EtcdInvalidAuthTokenError,
  EtcdPermissionDeniedError,
  GRPCUnavailableError,
} from "etcd3";
import { messageOf, VipdError } from "../../src/base/errors.ts";
import { plainWords } from "./words.ts";

/** grpc-js says this when no connection was there to send on. */
const NOT_CONNECTED = /no connection established|name resolution failed/iu;

/** grpc-js says this when etcd3 has thrown its connection away, for another call's trouble, before this one began. */
const DROPPED = /channel closed before call started/iu;

/** What etcd itself answers to a request that it did not apply. */
const REFUSALS =
  /etcdserver: (?:mvcc: database space exceeded|request is too large|too many operations|permission denied|user name is empty|invalid auth token|too many requests|no leader)/iu;

/** grpc-js says this when an answer is longer than MAX_ANSWER_BYTES; it has not read it. */
const TOO_LONG = /received message larger than max/iu;

/** What became of a request that failed. */
export type Fate =
  /** It never reached etcd: another endpoint may be asked. */
  | "unsent"
  /** It never left: the client threw its connection away just then. The same endpoint may be asked again. */
  | "dropped"
  /** etcd did not apply it, and will not. */
  | "refused"
  /** The token of this client is not valid any more: it must sign in anew. Not applied. */
  | "signed-out"
  /** It was answered, at too great a length to be read. */
  | "answer-too-long"
  | "unknown";

/** The fate of a request, by its error. */
export function fateOf(error: unknown): Fate {
  if (error instanceof EtcdInvalidAuthTokenError) return "signed-out";
  if (error instanceof EtcdPermissionDeniedError || error instanceof EtcdAuthenticationFailedError) return "refused";
  const message = messageOf(error);
  if (/invalid auth token/iu.test(message)) return "signed-out";
  if (DROPPED.test(message)) return "dropped";
  if (TOO_LONG.test(message)) return "answer-too-long";
  if (error instanceof GRPCUnavailableError && NOT_CONNECTED.test(message)) return "unsent";
  return REFUSALS.test(message) ? "refused" : "unknown";
}

/** The core's error for a failed commit. */
export function commitFailure(error: unknown, endpoint: string): VipdError {
  if (error instanceof VipdError) return error;
  const fate = fateOf(error);
  const code = fate === "unknown" || fate === "answer-too-long" ? "outcome-unknown" : "store-unavailable";
  return new VipdError(code, `etcd at ${endpoint}: ${plainWords(error)}`, { endpoint }, error);
}

/** The core's error for a failed read. */
export function readFailure(error: unknown, endpoint: string): VipdError {
  if (error instanceof VipdError) return error;
  return new VipdError("store-unavailable", `etcd at ${endpoint}: ${plainWords(error)}`, { endpoint }, error);
}

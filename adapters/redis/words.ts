// What Redis and its client say, in words for people. Their own text stays the cause of the error, for the debug log.

import { messageOf, VipdError } from "../../src/base/errors.ts";
import { networkWords } from "../common/network-words.ts";
import { TimeLimitError } from "../common/with-timeout.ts";

/** Error replies by their beginning. */
const REPLIES: readonly (readonly [reply: RegExp, words: string])[] = [
  [/^WRONGPASS/u, "it refused the user or the password"],
  [/^NOAUTH/u, "it asks for a password"],
  [/^READONLY/u, "it is a replica, which takes no commits; name the master, or its Sentinels"],
  [/^LOADING/u, "it still loads its data"],
  [/^MISCONF/u, "it takes no commits, because it cannot write to its disk"],
  [/^OOM/u, "it takes no commits, because its memory is full (maxmemory)"],
  [/^NOREPLICAS/u, "it takes no commits without its replicas (min-replicas-to-write)"],
  [/^(?:CLUSTERDOWN|MASTERDOWN)/u, "its group has no working master"],
  [/^(?:MOVED|ASK|TRYAGAIN)/u, "another node of the Cluster has vipd's data"],
  [/^BUSY/u, "it is busy with a script of another program"],
  [/^UNBLOCKED/u, "it broke off the wait for them"],
  [/^ERR max number of clients/u, "it has no room for another connection (maxclients)"],
];

/** What the access list forbids: a command by its name, or something that a script does. */
const FORBIDDEN = /no permissions to (?:run the '([^']*)'|access)|the user executing the script can't/iu;

/** ioredis's own words for a connection that is gone or not there yet, for what is no Redis, and for a silent server. */
const BROKEN = /max retries per request|connection is closed|connection is not ready|stream isn't writeable/iu;
const FOREIGN = /unknown RESP type|protocol error/iu;
const SILENT = /socket timeout|command timed out/iu;
const NO_ANSWER = /socket timeout|command timed out|ETIMEDOUT/iu;

/** What a failure of Redis or its client means; what is not known stays as it is. */
export function plainWords(error: unknown): string {
  const text = messageOf(error);
  if (error instanceof VipdError || error instanceof TimeLimitError) return text;
  if (isReply(error)) return replyWords(text);
  if (FOREIGN.test(text)) return "what answers there is no Redis";
  if (BROKEN.test(text)) return "the connection broke";
  return SILENT.test(text) ? "it does not answer" : (networkWords(error) ?? text);
}

/** Whether nothing answered, which may change from one moment to the next. */
export function isSilence(error: Error): boolean {
  return NO_ANSWER.test(error.message) || (error.cause instanceof Error && isSilence(error.cause));
}

/** Whether the server answered with an error. */
export function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === "ReplyError";
}

function replyWords(text: string): string {
  const known = REPLIES.find(([reply]) => reply.test(text));
  if (known !== undefined) return known[1];
  const forbidden = FORBIDDEN.exec(text);
  if (forbidden === null) return `it answered "${text.replace(/^ERR /u, "").slice(0, 200)}"`;
  const command = forbidden[1]?.toUpperCase();
  const what = command === undefined ? "do all that is needed" : `run ${command}`;
  return `its user may not ${what}; grant the rights that docs/stores/redis.md lists`;
}

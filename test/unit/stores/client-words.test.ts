// What the client libraries say reaches people in words of vipd's own; the messages are as Redis 7.0, ioredis 6, etcd 3.4 and
// grpc-js 1.8 give them.

import { expect, test } from "vitest";
import { plainWords as etcdWords } from "../../../adapters/etcd/words.ts";
import { isSilence, plainWords as redisWords } from "../../../adapters/redis/words.ts";
import { commitFailure as redisCommitFailure, surelyNot } from "../../../adapters/redis/failures.ts";
import { VipdError } from "../../../src/base/errors.ts";
import { TimeLimitError } from "../../../adapters/common/with-timeout.ts";

/** An error reply of Redis. */
function reply(text: string): Error {
  return Object.assign(new Error(text), { name: "ReplyError" });
}

const NO_CONNECTION = "14 UNAVAILABLE: No connection established. Last error:";

test.each<[string, string]>([
  [`${NO_CONNECTION} connect ECONNREFUSED 10.0.0.5:2379 (2026-11-21T10:00:00.000Z)`, "connection refused; check"],
  [`${NO_CONNECTION} null. Resolution note: `, "there is no connection"],
  [`${NO_CONNECTION} Error: self-signed certificate`, "not signed by the authority that ?ca= names"],
  [
    `${NO_CONNECTION} Error: Client network socket disconnected before secure TLS connection was established. Resolution note: `,
    "the TLS handshake failed; check that this port speaks TLS",
  ],
  [`${NO_CONNECTION} Hostname/IP does not match certificate's altnames`, "its certificate is for another name"],
  ["14 UNAVAILABLE: Name resolution failed for target dns:nowhere:2379", "its host name is not found"],
  ["4 DEADLINE_EXCEEDED: Deadline exceeded after 0.493s,LB pick: 0.1s,Waiting for LB pick", "no connection in time"],
  [
    "4 DEADLINE_EXCEEDED: Deadline exceeded after 0.492s,name resolution: 0.001s,LB pick: 0.001s,remote_addr=[::1]:1",
    "no answer in time",
  ],
  ["4 DEADLINE_EXCEEDED: Deadline exceeded after 0.5s,remote_addr=10.0.0.5:2379", "no answer in time"],
  ["14 UNAVAILABLE: Connection dropped", "the connection broke"],
  ["14 UNAVAILABLE: read ECONNRESET", "the connection broke"],
  ["12 UNIMPLEMENTED: unknown service etcdserverpb.KV", "no etcd of version 3"],
  ["14 UNAVAILABLE: etcdserver: no leader", "its members have no leader"],
  ["3 INVALID_ARGUMENT: etcdserver: authentication failed, invalid user ID or password", "it refused the user"],
  ["3 INVALID_ARGUMENT: etcdserver: user name is empty", "it asks for a user and a password"],
  ["7 PERMISSION_DENIED: etcdserver: permission denied", "its user may not read and write under /vipd"],
  ["8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded", "its database is full"],
  ["9 FAILED_PRECONDITION: something new", 'it answered "something new"'],
])("etcd: %s", (text, words) => {
  const said = etcdWords(new Error(text));
  expect(said).toContain(words);
  expect(said).not.toMatch(/\d+ [A-Z]+_?[A-Z]*:|LB pick|Resolution note|ECONN|\d\.\d{3}/u);
});

test.each<[Error, string, boolean]>([
  [reply("WRONGPASS invalid username-password pair or user is disabled."), "it refused the user or the password", true],
  [reply("NOAUTH Authentication required."), "it asks for a password", true],
  [reply("NOPERM this user has no permissions to run the 'evalsha' command"), "its user may not run EVALSHA", true],
  [
    reply(
      "ERR The user executing the script can't publish to the channel mentioned in the command script: 95, on @user_script:1.",
    ),
    "its user may not do all that is needed",
    false,
  ],
  [reply("READONLY You can't write against a read only replica. script: e1, on @user_script:1."), "a replica", true],
  [reply("OOM command not allowed when used memory > 'maxmemory'. script: e1, on @user_script:1."), "memory", true],
  [reply("NOREPLICAS Not enough good replicas to write. script: e1, on @user_script:1."), "without its replicas", true],
  [reply("LOADING Redis is loading the dataset in memory"), "it still loads its data", true],
  [reply("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."), "busy", true],
  [reply("UNBLOCKED client unblocked via CLIENT UNBLOCK"), "it broke off the wait", true],
  [reply("ERR Error running script: Script killed by user with SCRIPT KILL."), "Script killed by user", false],
  [reply("ERR unknown command 'EVALSHA'"), "unknown command 'EVALSHA'", true],
  [new Error("Stream isn't writeable and enableOfflineQueue options is false"), "the connection broke", true],
  [
    new Error(
      'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
    ),
    "the connection broke",
    false,
  ],
  [new Error("Connection is closed."), "the connection broke", false],
  [new Error("Socket timeout. Expecting data, but didn't receive any in 1000ms."), "it does not answer", false],
  [Object.assign(new Error("connect EHOSTUNREACH 10.0.0.5:6379"), { code: "EHOSTUNREACH" }), "no route to it", false],
  [new TimeLimitError("no answer within 494 ms"), "no answer within 494 ms", false],
])("Redis: %s", (error, words, isSurelyNot) => {
  const said = redisWords(error);
  expect(said).toContain(words);
  expect(said).not.toMatch(
    /WRONGPASS|NOAUTH|NOPERM|maxRetries|OfflineQueue|writeable|Socket timeout|user_script|ECONN|EHOST/u,
  );
  expect(surelyNot(error)).toBe(isSurelyNot);
});

test("why there is no connection says more than that there is none", () => {
  const error = new Error("Stream isn't writeable and enableOfflineQueue options is false");
  const told = (trouble: Error | undefined): VipdError => redisCommitFailure(error, { place: "h:1", trouble });
  expect(told(reply("WRONGPASS no"))).toMatchObject({
    code: "store-unavailable",
    message: "Redis at h:1: it refused the user or the password",
  });
  expect(told(undefined).message).toBe("Redis at h:1: there is no connection");
});

test("nothing that answers may answer a moment later; a refusal is final", () => {
  const round = (cause: Error): Error => new VipdError("store-unavailable", "0 of 3 name the same master", {}, cause);
  expect(isSilence(round(new Error("connect ETIMEDOUT")))).toBe(true);
  expect(isSilence(new Error("Socket timeout. Expecting data"))).toBe(true);
  expect(isSilence(round(new Error("connect ECONNREFUSED 10.0.0.5:1")))).toBe(false);
});

// What etcd and its client say, in words for people. Their own text stays the cause of the error, for the debug log.

import { messageOf, VipdError } from "../../src/base/errors.ts";
import { networkWords } from "../common/network-words.ts";
import { TimeLimitError } from "../common/with-timeout.ts";

/** What etcd answers. */
const ANSWERS: readonly (readonly [text: RegExp, words: string])[] = [
  [/authentication failed/iu, "it refused the user or the password"],
  [/user name is empty/iu, "it asks for a user and a password"],
  [/permission denied/iu, "its user may not read and write under /vipd; grant that to its role"],
  [/invalid auth token/iu, "the sign-in has expired"],
  [/authentication is not enabled/iu, "it has no users, and the URL names one"],
  [
    /database space exceeded/iu,
    "it takes no commits, because its database is full; compact and defragment it, then etcdctl alarm disarm",
  ],
  [
    /request is too large|too many operations/iu,
    "it takes no commit of this size (--max-request-bytes, --max-txn-ops)",
  ],
  [/no leader|leader changed|etcdserver: (?:request timed out|not leader)/iu, "its members have no leader"],
  [/too many requests|RESOURCE_EXHAUSTED: (?!received)/iu, "it is overloaded"],
  [/server stopped|not healthy for reconfigure/iu, "it is stopping"],
  [/received message larger than max/iu, "its answer is too long"],
  [/required revision has been compacted/iu, "its history was compacted"],
];

/** What gRPC says when the call has come to nothing. */
const CALLS: readonly (readonly [text: RegExp, words: string])[] = [
  [
    /UNIMPLEMENTED|unknown (?:service|method)|PROTOCOL_ERROR|FRAME_SIZE_ERROR|HTTP status|content-type/iu,
    "what answers there is no etcd of version 3",
  ],
  // Where it names the member it was asked of, what it tells of the name and of the pick is only how long they took.
  [/deadline exceeded.*remote_addr=/iu, "no answer in time"],
  [/LB pick|name resolution|resolving/iu, "no connection in time; check that the server runs, and the way to it"],
  [/DEADLINE_EXCEEDED|deadline exceeded/iu, "no answer in time"],
  [/no connection established/iu, "there is no connection"],
  [
    /connection (?:dropped|closed|lost)|channel (?:closed|has been shut down)|RST_STREAM|GOAWAY|CANCELLED|client was already closed|stream (?:removed|ended)/iu,
    "the connection broke",
  ],
];

/** What a failure of etcd or its client means; what is not known stays as it is, less gRPC's code. */
export function plainWords(error: unknown): string {
  const text = messageOf(error);
  if (error instanceof VipdError || error instanceof TimeLimitError) return text;
  const known = (table: typeof CALLS): string | undefined => table.find(([pattern]) => pattern.test(text))?.[1];
  return known(ANSWERS) ?? networkWords(error) ?? known(CALLS) ?? `it answered "${bare(text)}"`;
}

function bare(text: string): string {
  return text.replace(/^\d+ [A-Z_]+: /u, "").slice(0, 200);
}

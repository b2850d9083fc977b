// What went wrong on a connection, in words that say what to look at.

import { messageOf } from "../base/errors.ts";

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused: nothing listens there",
  ECONNRESET: "the server closed or reset the connection",
  EPIPE: "the connection was closed",
  EHOSTUNREACH: "no route to the host, or it does not answer",
  ENETUNREACH: "no route to the network",
  ETIMEDOUT: "the connection timed out",
  EADDRNOTAVAIL: "no local address or port is free for the connection",
  EMFILE: "the limit of open files is reached (LimitNOFILE=)",
  ENFILE: "the limit of open files is reached (LimitNOFILE=)",
  EACCES: "not allowed: a packet filter of this host keeps it in",
  EPERM: "not allowed: a packet filter of this host keeps it in",
  HPE_HEADER_OVERFLOW: "the head of the answer is too long",
  CERT_HAS_EXPIRED: "the certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is self-signed: name its CA file, or turn verification off",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate's CA is not trusted: name its CA file",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the certificate's CA is not trusted: name its CA file",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the certificate's CA is not trusted: name its CA file",
};

/** The failure of a connection in words. */
export function connectionFailure(error: unknown): string {
  const code = codeOf(error);
  const words = WORDS[code];
  if (words !== undefined) return words;
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return `the certificate is for another name: ${messageOf(error)}`;
  return messageOf(error) || code || "the connection failed";
}

/** When several addresses were tried, each has failed: the first one tells. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

// What the network's and TLS's errors mean, in words for people: by the code that Node.js gives, wherever a client has put it.

const WORDS: readonly (readonly [code: RegExp, words: string])[] = [
  [/\bECONNREFUSED\b/u, "connection refused; check that the server runs and that host and port are right"],
  [/\bETIMEDOUT\b/u, "no connection in time; check the way to it, and that no firewall is between"],
  [/\b(?:EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL)\b/u, "there is no route to it"],
  [/\b(?:ENOTFOUND|EAI_AGAIN|EAI_FAIL)\b|name resolution failed/iu, "its host name is not found"],
  [
    /\b(?:EPROTO|ERR_SSL_\w+)\b|wrong version number|packet length too long|bad record type|before secure TLS connection/iu,
    "the TLS handshake failed; check that this port speaks TLS, and whether it asks for a client's certificate",
  ],
  [/\b(?:ECONNRESET|EPIPE|ECONNABORTED)\b|socket hang up/u, "the connection broke"],
  [/\bENOENT\b/u, "there is no such socket"],
  [/\b(?:EACCES|EPERM)\b/u, "permission denied"],
  [/\bERR_TLS_CERT_ALTNAME_INVALID\b|does not match certificate's altnames/iu, "its certificate is for another name"],
  [/\bCERT_HAS_EXPIRED\b|certificate has expired/iu, "its certificate has expired"],
  [
    /\b(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+)\b|self[- ]signed certificate|unable to (?:verify|get)/iu,
    "its certificate is not signed by the authority that ?ca= names",
  ],
];

/** What an error of the network or of TLS means; `undefined`: it is of another kind. */
export function networkWords(error: unknown): string | undefined {
  const { code = "", message = String(error) } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  const text = `${code} ${message}`;
  return WORDS.find(([pattern]) => pattern.test(text))?.[1];
}

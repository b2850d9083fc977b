// A certificate authority for one test, made by openssl: a server's and a client's certificate.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where the files are, by what they are. */
export interface Certificates {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

function openssl(...args: readonly string[]): void {
  const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
}

/** Makes an authority and a certificate for 127.0.0.1 that server and client both use. */
export function makeCertificates(directory: string): Certificates {
  const file = (name: string): string => join(directory, name);
  const days = ["-days", "2"];
  const newKey = ["-newkey", "rsa:2048", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    file("ca.key"),
    "-out",
    file("ca.crt"),
    ...days,
    "-subj",
    "/CN=vipd test authority",
  );
  openssl("req", ...newKey, "-keyout", file("node.key"), "-out", file("node.csr"), "-subj", "/CN=node");
  writeFileSync(file("san"), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
  const signed = ["-CA", file("ca.crt"), "-CAkey", file("ca.key"), "-CAcreateserial", "-extfile", file("san")];
  openssl("x509", "-req", "-in", file("node.csr"), "-out", file("node.crt"), ...days, ...signed);
  return { ca: file("ca.crt"), cert: file("node.crt"), key: file("node.key") };
}

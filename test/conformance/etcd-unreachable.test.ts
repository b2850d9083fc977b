// An etcd that cannot be reached, or does not let us in, is told in words; and what its client does unasked bothers nobody.

import { spawn } from "node:child_process";
import { createServer, type ServerHttp2Session } from "node:http2";
import { createRequire } from "node:module";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { VipdError } from "../../src/base/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { openStore } from "../../src/stores/index.ts";
import { EtcdCluster } from "../servers/etcd.ts";
import { freePorts, HERE } from "../servers/machine.ts";
import { PATIENT, put, thrownBy } from "./harness.ts";

const NODE = join(createRequire(import.meta.url).resolve("node/package.json"), "../bin/node");
const VIPCTL = join(import.meta.dirname, "../../src/bin/vipctl.ts");

/** What gRPC, etcd3 and Node.js call things. */
const RAW = /\d+ [A-Z]{3,}_?[A-Z]*:|LB pick|Resolution note|ECONN|etcdserver|\d\.\d{3}/u;

const clusters: EtcdCluster[] = [];
const stores: Store[] = [];

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(clusters.splice(0).map((cluster) => cluster.close()));
});

async function start(tls = false): Promise<EtcdCluster> {
  const cluster = await EtcdCluster.start(1, tls);
  clusters.push(cluster);
  return cluster;
}

async function open(url: string): Promise<Store> {
  const store = await openStore(url);
  stores.push(store);
  return store;
}

/** The message of a failed look, which is in our words. */
async function look(url: string): Promise<string> {
  const error = await thrownBy(() => openStore(url, { readOnly: true }));
  if (!(error instanceof VipdError)) throw error;
  expect(error.message).not.toMatch(RAW);
  return error.message;
}

describe("looking", () => {
  test("at a port where nobody listens says so, and what to look at", async () => {
    const [port] = await freePorts(1);
    expect(await look(`etcd://127.0.0.1:${port}`)).toBe(
      `etcd at 127.0.0.1:${port}: connection refused; check that the server runs and that host and port are right`,
    );
  });

  test("with a wrong password, or none, says that it was answered", async () => {
    const cluster = await start();
    cluster.enableAuth("a-password");
    expect(await look(cluster.urlOf(cluster.members, "compact=off", "root:wr0ng"))).toContain(
      "it refused the user or the password",
    );
    expect(await look(cluster.urlOf(cluster.members, "compact=off", ""))).toContain(
      "it asks for a user and a password",
    );
  });

  test("without the authority of its certificate says so; without TLS, that there is no connection", async () => {
    const cluster = await start(true);
    const [member] = cluster.members;
    expect(await look(`etcds://127.0.0.1:${member?.client}`)).toContain("not signed by the authority that ?ca= names");
    expect(await look(`etcd://127.0.0.1:${member?.client}`)).toMatch(/connection|no etcd/u);
  });
});

test("a member that hangs is one that has not answered in time, in whole milliseconds", async () => {
  const cluster = await start();
  const store = await open(cluster.url);
  await put(store, "k", "1");
  await cluster.stop();
  const error = await thrownBy(() => store.read("", { timeoutMs: 493.628_464 }));
  expect(error).toMatchObject({ message: expect.stringMatching(/: no (?:answer in time|answer within 494 ms)$/u) });
});

test("a connection without a call is not pinged: etcd would hang up, and gRPC would say so on stderr", async () => {
  let pings = 0;
  const sessions = new Set<ServerHttp2Session>();
  const impostor = createServer();
  impostor.on("session", (session) => {
    sessions.add(session);
    session.on("ping", () => (pings += 1));
  });
  // A refusal leaves the connection as it is.
  impostor.on("stream", (stream) => {
    const trailers = { "grpc-status": "7", "grpc-message": "etcdserver: permission denied" };
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...trailers }, { endStream: true });
  });
  await new Promise<void>((resolve) => impostor.listen(0, HERE.ip, resolve));
  try {
    const address = impostor.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const store = await open(`etcd://${HERE.ip}:${port}?compact=off`);
    expect(await thrownBy(() => store.read("", PATIENT))).toMatchObject({
      message: expect.stringContaining("its user may not read and write under /vipd"),
    });
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    expect([...sessions].filter(({ closed }) => !closed)).toHaveLength(1);
    expect(pings).toBe(0);
  } finally {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => impostor.close(resolve));
  }
});

test("the programs do not pass on what Node.js tells developers of TLS to an address", async () => {
  const cluster = await start(true);
  await put(await open(cluster.url), "k", "1");
  const [, user = "", password = ""] = /\/\/([^:@]*):([^@]*)@/u.exec(cluster.url) ?? [];
  const url = cluster.url.replace(`${user}:${password}@`, `${user}@`);
  const child = spawn(NODE, [VIPCTL, "who-owns", "web", "--store", url, "--fleet", "main"], {
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 20_000,
    env: { ...process.env, VIPD_STORE_PASSWORD: decodeURIComponent(password) },
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  await new Promise((resolve) => child.once("close", resolve));
  expect(said).not.toMatch(/DEP\d{4}|DeprecationWarning|trace-deprecation/u);
  expect(said).toContain("web");
});

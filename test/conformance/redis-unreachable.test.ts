// A Redis that cannot be reached, or does not let us in: it is told at once, in words, and without a second attempt.

import { createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VipdError } from "../../src/base/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { openStore } from "../../src/stores/index.ts";
import { freePorts, HERE } from "../servers/machine.ts";
import { RedisServer } from "../servers/redis.ts";
import { PATIENT, put, thrownBy } from "./harness.ts";

const servers: RedisServer[] = [];
const stores: Store[] = [];
let impostor: Server;
const clients = new Set<Socket>();
let attempts = 0;
let onClient: (socket: Socket) => void;

beforeEach(async () => {
  attempts = 0;
  onClient = (socket) => socket.destroy();
  impostor = createServer((socket) => {
    attempts += 1;
    clients.add(socket);
    socket.on("error", () => {});
    onClient(socket);
  });
  await new Promise<void>((resolve) => impostor.listen(0, HERE.ip, resolve));
});

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await Promise.all(servers.splice(0).map((server) => server.close()));
  for (const client of clients) client.destroy();
  clients.clear();
  await new Promise((resolve) => impostor.close(resolve));
});

async function start(...args: readonly string[]): Promise<RedisServer> {
  const server = await RedisServer.start(args);
  servers.push(server);
  return server;
}

async function open(url: string): Promise<Store> {
  const store = await openStore(url);
  stores.push(store);
  return store;
}

function impostorUrl(): string {
  const address = impostor.address();
  return `redis://${HERE.ip}:${typeof address === "object" && address !== null ? address.port : 0}`;
}

/** What the client libraries and Node.js call things. */
const RAW =
  /ECONN|ENOTFOUND|maxRetries|max retries|OfflineQueue|writeable|Socket timeout|command timed out|WRONGPASS|NOAUTH|NOPERM|ReplyError|\d\.\d{3}/iu;

/** The message of a failure, which is in our words. */
async function words(call: () => Promise<unknown>): Promise<string> {
  const error = await thrownBy(call);
  if (!(error instanceof VipdError)) throw error;
  expect(error.message).not.toMatch(RAW);
  return error.message;
}

describe("looking", () => {
  const look = (url: string): Promise<string> => words(() => openStore(url, { readOnly: true }));

  test("at a server that hangs up gives up after one attempt", async () => {
    expect(await look(impostorUrl())).toContain("the connection broke");
    expect(attempts).toBe(1);
  });

  test("at a port where nobody listens says so, and what to look at", async () => {
    const [port] = await freePorts(1);
    expect(await look(`redis://127.0.0.1:${port}`)).toBe(
      `Redis at 127.0.0.1:${port}: connection refused; check that the server runs and that host and port are right`,
    );
  });

  test("by way of Sentinels that are not there says whom it has asked", async () => {
    const [one, other] = await freePorts(2);
    const url = `redis+sentinel://127.0.0.1:${one},127.0.0.1:${other}/main`;
    expect(await look(url)).toMatch(/0 of 2 name the same master.*connection refused/u);
  });

  test("at a unix socket that is not there says so", async () => {
    expect(await look("redis+unix:/nonexistent/redis.sock")).toBe(
      "Redis at /nonexistent/redis.sock: there is no such socket",
    );
  });

  test("with a wrong password, or none, says that it was answered", async () => {
    const { port } = await start("--requirepass", "s3cret-word");
    expect(await look(`redis://:wr0ng@127.0.0.1:${port}`)).toContain("it refused the user or the password");
    expect(await look(`redis://127.0.0.1:${port}`)).toContain("it asks for a password");
  });

  test("by TLS at a port that speaks none says so", async () => {
    onClient = (socket) => socket.end("-ERR what is this\r\n");
    expect(await look(impostorUrl().replace("redis:", "rediss:"))).toContain("the TLS handshake failed");
  });

  test("at what is no Redis says so", async () => {
    onClient = (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    expect(await look(impostorUrl())).toContain("what answers there is no Redis");
  });
});

describe("a store that is in use", () => {
  test("fails calls as soon as an attempt to connect has failed, and in words", async () => {
    const server = await start();
    const store = await open(server.url);
    await put(store, "k", "1");
    await server.kill();
    // That the connection has ended is noticed a little later; then each call fails long before its limit.
    const read = (): Promise<string> => words(() => store.read("", { timeoutMs: 60_000 }));
    const write = (): Promise<string> => words(() => put(store, "k", "2"));
    await expect.poll(read, { timeout: 5_000 }).toContain("connection refused");
    await expect.poll(write, { timeout: 5_000 }).toContain("connection refused");
    await server.startAgain();
    await expect(store.read("", PATIENT)).resolves.toMatchObject({ revision: expect.anything() });
  });

  test("whose server hangs fails by the time limit, in whole milliseconds", async () => {
    const server = await start();
    const store = await open(server.url);
    await put(store, "k", "1");
    await server.stop();
    expect(await words(() => store.read("", { timeoutMs: 100.123_456 }))).toContain("no answer within 100 ms");
    server.signal("SIGCONT");
  });

  test.each([
    ["-wait", "run WAIT"],
    ["-evalsha", "run EVALSHA"],
    ["-hset", "do all that is needed"],
  ])("whose user lacks a right, %s, says which, as far as it is told", async (right, what) => {
    const server = await start();
    await server.command("ACL", "SETUSER", "lb", "on", ">a-password", "~*", "&*", "+@all", right);
    const store = await open(`redis://lb:a-password@127.0.0.1:${server.port}?minReplicas=1`);
    const message = await words(() => put(store, "k", "1"));
    expect(message).toContain(`its user may not ${what}; grant the rights`);
  });
});

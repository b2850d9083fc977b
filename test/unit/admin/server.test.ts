// The admin server and its client over a real socket: what they say to each other, and what they bear.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MAX_ADMIN_CONNECTIONS, MAX_ADMIN_WATCHES, MAX_VIEW_TEXT } from "../../../src/base/bounds.ts";
import { failureSchema } from "../../../src/admin/protocol.ts";
import { VipdError } from "../../../src/base/errors.ts";
import { adminClient, adminFailure } from "../../../src/admin/client.ts";
import { type AdminHandler, startAdminServer } from "../../../src/admin/server.ts";
import type { StatusView } from "../../../src/admin/views.ts";
import { electionView, statusView } from "./views.ts";

const LIMITS = { timeoutMs: 5_000 };

/** A daemon's stand-in, whose status the test sets. */
class Daemon implements AdminHandler {
  readonly asked: unknown[] = [];
  readonly listeners = new Set<() => void>();
  private view: StatusView = statusView();

  version = () => ({ version: "0.1.0", node: "web1", pid: process.pid });
  status = () => this.view;
  election = async (name: string) => (name === "web" ? electionView() : null);
  readonly callers: unknown[] = [];
  stepDown = async (request: unknown, caller: unknown) => {
    this.asked.push(request);
    this.callers.push(caller);
    return { accepted: true, reason: "handing over" };
  };
  maintenance = async (request: unknown, caller: unknown) => {
    this.asked.push(request);
    this.callers.push(caller);
    return { accepted: true, reason: "in force" };
  };
  onChange = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  set(view: StatusView): void {
    this.view = view;
    for (const listener of this.listeners) listener();
  }
}

let folder: string;
let socket: string;
let daemon: Daemon;
let stop: AbortController;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "vd"));
  socket = join(folder, "run", "vipd.sock");
  daemon = new Daemon();
  stop = new AbortController();
});

afterEach(() => {
  stop.abort();
  rmSync(folder, { recursive: true, force: true });
});

const start = (group?: string) =>
  startAdminServer({ socket, ...(group === undefined ? {} : { group }) }, daemon, stop.signal);

/** Sends raw bytes and gives the whole answer. */
async function raw(text: string): Promise<string> {
  const connection: Socket = connect(socket);
  connection.end(text);
  let answer = "";
  connection.on("data", (chunk) => (answer += chunk.toString()));
  await once(connection, "close");
  return answer;
}

/** A process binds the socket and dies without a word. */
async function leaveStaleSocket(): Promise<void> {
  const script = `require("node:net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", script], { stdio: "ignore" }), "exit");
}

test("client and server understand each other", async () => {
  await start();
  const client = adminClient(socket);
  expect(await client.version(LIMITS)).toEqual({ version: "0.1.0", node: "web1", pid: process.pid });
  expect(await client.status(LIMITS)).toEqual(statusView());
  expect(await client.election("web", LIMITS)).toEqual(electionView());
  expect(await client.election("nothing", LIMITS)).toBeNull();
  expect(await client.stepDown({ election: "web", to: "web2" }, LIMITS)).toEqual({
    accepted: true,
    reason: "handing over",
  });
  expect(daemon.asked).toEqual([{ election: "web", to: "web2" }]);
});

test("the socket is for owner and group alone, whatever the umask, and leaves nothing behind", async () => {
  const before = process.umask(0);
  try {
    const server = await start(String(process.getgid?.()));
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    expect(readdirSync(join(folder, "run"))).toEqual(["vipd.sock"]);
    await server.close();
    expect(readdirSync(join(folder, "run"))).toEqual([]);
  } finally {
    process.umask(before);
  }
});

test("nothing is made outside of the socket's own directory: a service may write nowhere else", async () => {
  mkdirSync(join(folder, "run"));
  const before = statSync(folder, { bigint: true }).mtimeNs;
  const server = await start();
  await server.close();
  expect(statSync(folder, { bigint: true }).mtimeNs).toBe(before);
});

test("a second server is refused while the first one lives, and takes over a dead one's socket", async () => {
  const first = await start();
  await expect(start()).rejects.toMatchObject({
    code: "admin",
    message: expect.stringContaining("socket already in use"),
  });
  expect(await adminClient(socket).version(LIMITS)).toMatchObject({ node: "web1" });
  await first.close();

  await leaveStaleSocket();
  expect(statSync(socket).isSocket()).toBe(true);
  await start();
  expect(await adminClient(socket).version(LIMITS)).toMatchObject({ node: "web1" });
});

test("a file that is no socket is left alone", async () => {
  socket = join(folder, "file");
  writeFileSync(socket, "precious");
  await expect(start()).rejects.toMatchObject({ code: "admin", message: expect.stringContaining("is no socket") });
  expect(statSync(socket).size).toBe(8);
});

test("an unknown group, and a path that is too long, are told", async () => {
  await expect(start("no-such-group")).rejects.toMatchObject({
    code: "admin",
    message: expect.stringContaining("/etc/group"),
  });
  socket = join(folder, "x".repeat(100));
  await expect(start()).rejects.toMatchObject({ code: "admin", message: expect.stringContaining("too long") });
  expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
});

test("an abort hangs up on everybody and removes the socket", async () => {
  await start();
  const states = adminClient(socket).watch(LIMITS)[Symbol.asyncIterator]();
  expect((await states.next()).done).toBe(false);
  const ended = states.next().then(
    (result) => result.done === true,
    (error: unknown) => adminFailure(error) === "broken",
  );
  stop.abort();
  expect(await ended).toBe(true);
  expect(existsSync(socket)).toBe(false);
  await expect(adminClient(socket).status(LIMITS)).rejects.toSatisfy((error) => adminFailure(error) === "absent");
});

test("a watch tells the state now and each newest one, and ends with its signal", async () => {
  await start();
  const hangUp = new AbortController();
  const states = adminClient(socket)
    .watch({ ...LIMITS, signal: hangUp.signal })
    [Symbol.asyncIterator]();
  expect((await states.next()).value.session.state).toBe("live");
  for (let i = 0; i < 1000; i++) daemon.set(statusView({ warnings: [`${i}`] }));
  let seen: string | undefined;
  let count = 0;
  while (seen !== "999") {
    seen = (await states.next()).value.warnings[0];
    count++;
  }
  expect(count).toBeLessThan(1000);
  const end = states.next();
  hangUp.abort();
  expect((await end).done).toBe(true);
});

/** A connection that asks to watch; with `read` it takes what it is sent. */
async function watcher(read: boolean): Promise<{ connection: Socket; head: Promise<string> }> {
  const connection = connect(socket);
  await once(connection, "connect");
  connection.on("error", () => {});
  const head = read
    ? new Promise<string>((resolve) => connection.once("data", (chunk) => resolve(chunk.toString().slice(0, 12))))
    : Promise.resolve("");
  connection.write("GET /v1/watch HTTP/1.1\r\nhost: x\r\n\r\n");
  if (!read) connection.pause();
  return { connection, head };
}

test("those who watch and never read leave room for others, and are dropped", async () => {
  await startAdminServer({ socket, stallMs: 400 }, daemon, stop.signal);
  daemon.set(statusView({ warnings: Array.from({ length: 500 }, () => "x".repeat(2_000)) }));
  const watchers = await Promise.all(Array.from({ length: MAX_ADMIN_CONNECTIONS }, () => watcher(false)));
  expect(await adminClient(socket).version(LIMITS)).toMatchObject({ node: "web1" });
  const place = async (): Promise<string> => {
    const { connection, head } = await watcher(true);
    const code = await head;
    connection.destroy();
    return code;
  };
  expect(await place(), "all places are taken").toBe("HTTP/1.1 503");
  await expect.poll(place).toBe("HTTP/1.1 200");
  for (const { connection } of watchers) connection.destroy();
});

test("connections without a request lock others out, but not root", async () => {
  let uid = 1000;
  await startAdminServer({ socket, peerOf: () => ({ uid, pid: 1 }) }, daemon, stop.signal);
  const idle = await Promise.all(
    Array.from({ length: MAX_ADMIN_CONNECTIONS }, async () => {
      const connection = connect(socket);
      await once(connection, "connect");
      return connection;
    }),
  );
  await expect(adminClient(socket).version(LIMITS)).rejects.toMatchObject({
    message: expect.stringContaining("too many others are connected"),
  });
  uid = 0;
  expect(await adminClient(socket).version(LIMITS)).toMatchObject({ node: "web1" });
  for (const connection of idle) connection.destroy();
});

test("watches have a limit of their own; a status is still answered beside them, and root may watch", async () => {
  let uid = 1000;
  await startAdminServer({ socket, peerOf: () => ({ uid, pid: 1 }) }, daemon, stop.signal);
  const watchers = await Promise.all(Array.from({ length: MAX_ADMIN_WATCHES }, () => watcher(true)));
  for (const { head } of watchers) expect(await head).toBe("HTTP/1.1 200");
  expect(await (await watcher(true)).head).toBe("HTTP/1.1 503");
  expect(await adminClient(socket).status(LIMITS)).toEqual(statusView());
  uid = 0;
  const root = await watcher(true);
  expect(await root.head).toBe("HTTP/1.1 200");
  root.connection.destroy();
  for (const { connection } of watchers) connection.destroy();
});

test("a status is made once for a change, however many watch, and a few times a second at most", async () => {
  await start();
  let made = 0;
  const status = daemon.status;
  daemon.status = () => {
    made += 1;
    return status();
  };
  const watchers = await Promise.all(Array.from({ length: 30 }, () => watcher(true)));
  for (const { head } of watchers) await head;
  const before = made;
  const from = performance.now();
  const newest = new Promise<void>((resolve) => {
    watchers.at(-1)?.connection.on("data", (chunk) => chunk.toString().includes('"last"') && resolve());
  });
  for (let i = 0; i < 100; i += 1) {
    daemon.set(statusView({ warnings: [`${i}`] }));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  daemon.set(statusView({ warnings: ["last"] }));
  await newest;
  expect(made - before).toBeLessThanOrEqual((performance.now() - from) / 100 + 2);
  for (const { connection } of watchers) connection.destroy();
});

test("a step-down and a maintenance tell who asked, by the kernel's word", async () => {
  await startAdminServer({ socket, peerOf: () => ({ uid: 1234, pid: 77 }) }, daemon, stop.signal);
  const client = adminClient(socket);
  await client.stepDown({ election: "web", to: null }, LIMITS);
  await client.maintenance({ on: true, vip: null, reason: "disks" }, LIMITS);
  expect(daemon.callers).toEqual([
    { uid: 1234, pid: 77 },
    { uid: 1234, pid: 77 },
  ]);
  expect(daemon.asked.at(-1)).toEqual({ on: true, vip: null, reason: "disks" });
});

test("a failure that quotes the request is cut, so that the client can read it", async () => {
  await start();
  const key = "k".repeat(30_000);
  const body = JSON.stringify({ election: "web", [key]: 1 });
  const answer = await raw(
    `POST /v1/step-down HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
  expect(answer.slice(0, 12)).toBe("HTTP/1.1 400");
  const parsed = failureSchema.parse(JSON.parse(answer.slice(answer.indexOf("{"))));
  expect(parsed.error.message.length).toBeLessThanOrEqual(MAX_VIEW_TEXT);
});

test("what goes wrong is told apart", async () => {
  const kind = async (path: string, timeoutMs = 5_000): Promise<string | undefined> =>
    adminClient(path)
      .status({ timeoutMs })
      .then(() => undefined, adminFailure);
  expect(await kind(join(folder, "nothing"))).toBe("absent");

  const silent = createServer();
  await once(silent.listen(join(folder, "silent")), "listening");
  const connections: Socket[] = [];
  silent.on("connection", (connection) => connections.push(connection));
  expect(await kind(join(folder, "silent"), 50)).toBe("silent");
  for (const connection of connections) connection.destroy();
  silent.close();

  const chatty = createServer((connection) => connection.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"));
  await once(chatty.listen(join(folder, "chatty")), "listening");
  expect(await kind(join(folder, "chatty"))).toBe("broken");
  chatty.close();

  await start();
  daemon.stepDown = async () => {
    throw new VipdError("store-unavailable", "the store is away");
  };
  const refused = await adminClient(socket)
    .stepDown({ election: "web", to: null }, LIMITS)
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ message: "the store is away", context: { failure: "refused", status: 503 } });
  const aborted = AbortSignal.abort();
  await expect(adminClient(socket).status({ ...LIMITS, signal: aborted })).rejects.toMatchObject({ code: "aborted" });
});

test.each([
  ["an unknown route", "GET /v2/x HTTP/1.1\r\nhost: x\r\n\r\n", "404"],
  ["a wrong method", "DELETE /v1/status HTTP/1.1\r\nhost: x\r\n\r\n", "405"],
  ["a bad name", "GET /v1/elections/..%2f HTTP/1.1\r\nhost: x\r\n\r\n", "400"],
  ["no JSON", "POST /v1/step-down HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n{", "400"],
  [
    "unknown keys",
    'POST /v1/step-down HTTP/1.1\r\nhost: x\r\ncontent-length: 24\r\n\r\n{"election":"a","at":"b"}',
    "400",
  ],
  ["no HTTP", "hello\r\n\r\n", "400"],
  ["huge headers", `GET /v1/status HTTP/1.1\r\nhost: x\r\nx: ${"x".repeat(20_000)}\r\n\r\n`, "431"],
])("%s is refused, and the server lives on", async (_what, request, status) => {
  await start();
  expect((await raw(request)).slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
  expect(await adminClient(socket).version(LIMITS)).toMatchObject({ node: "web1" });
});

test("a body beyond the bound, and random bytes, do no harm", async () => {
  await start();
  const huge = `POST /v1/step-down HTTP/1.1\r\nhost: x\r\ncontent-length: 70000\r\n\r\n${" ".repeat(70_000)}`;
  expect((await raw(huge)).slice(0, 12)).toBe("HTTP/1.1 413");
  for (let i = 0; i < 20; i++) await raw(randomBytes(200).toString("latin1"));
  expect(await adminClient(socket).version(LIMITS)).toMatchObject({ node: "web1" });
  expect(daemon.asked).toEqual([]);
});

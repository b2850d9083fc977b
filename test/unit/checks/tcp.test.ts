import { once } from "node:events";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import type { TcpCheckOptions } from "../../../src/config/check-options.ts";
import { tcpPerformer } from "../../../src/checks/tcp.ts";
import type { CheckResult } from "../../../src/health/result.ts";
import { closedPort, tcpServer } from "./servers.ts";

function check(more: Partial<TcpCheckOptions>, signal = AbortSignal.timeout(5_000)): Promise<CheckResult> {
  const options = { kind: "tcp", host: "127.0.0.1", port: 0, send: null, expect: null, ...more } as const;
  return tcpPerformer(options).run(signal);
}

test("a port that accepts is ok, and the connection is closed again", async () => {
  const sockets: Socket[] = [];
  const port = await tcpServer((socket) => {
    sockets.push(socket);
    socket.resume();
  });
  expect(await check({ port })).toMatchObject({ outcome: "ok", reason: "connected" });
  const [socket] = sockets;
  if (socket !== undefined && !socket.readableEnded) await once(socket, "end", { signal: AbortSignal.timeout(5_000) });
  expect(sockets).toHaveLength(1);
});

test("localhost is 127.0.0.1 without asking anybody", async () => {
  const port = await tcpServer((socket) => socket.end());
  expect(await check({ host: "localhost", port })).toMatchObject({ outcome: "ok" });
});

test.each([
  { name: "all at once", pieces: ["220 mail.test ESMTP\r\n"], outcome: "ok" },
  { name: "in pieces", pieces: ["22", "0 ", "mail"], outcome: "ok" },
  { name: "something else", pieces: ["500 no\r\n"], outcome: "failed" },
] as const)("an expected greeting that comes $name: $outcome", async ({ pieces, outcome }) => {
  const port = await tcpServer((socket) => {
    socket.setNoDelay(true);
    for (const piece of pieces) socket.write(piece);
    if (outcome === "failed") socket.end();
  });
  const result = await check({ port, expect: "220 " });
  expect(result.outcome).toBe(outcome);
  if (outcome === "failed") expect(result.reason).toMatch(/"220 " did not come: the server closed after 8 bytes/u);
});

test("what is sent arrives, and its answer decides", async () => {
  const port = await tcpServer((socket) => socket.on("data", (data: Buffer) => socket.write(`+${data.toString()}`)));
  expect(await check({ port, send: "PING\r\n", expect: "+PING" })).toMatchObject({ outcome: "ok" });
  expect(await check({ port, send: "PING\r\n" })).toMatchObject({ outcome: "ok" });
});

test("a server that talks for ever and never says it has failed, in bounded memory", async () => {
  const port = await tcpServer((socket) => {
    const talk = (): void => {
      while (!socket.destroyed && socket.write("x".repeat(8_192)));
    };
    socket.on("drain", talk);
    talk();
  });
  const result = await check({ port, expect: "never" });
  expect(result.reason).toMatch(/not in the first 65536 bytes/u);
});

test("nobody listens: the reason says so", async () => {
  const result = await check({ port: await closedPort() });
  expect(result).toMatchObject({
    outcome: "failed",
    reason: expect.stringMatching(/connection refused: nothing listens/u),
  });
});

test("a server that accepts and is silent: the check ends with its signal", async () => {
  const port = await tcpServer(() => {});
  const began = performance.now();
  expect(await check({ port, expect: "hello" }, AbortSignal.timeout(100))).toMatchObject({ outcome: "failed" });
  expect(performance.now() - began).toBeLessThan(2_000);
});

test("a check that was stopped before it began does nothing", async () => {
  expect(await check({ port: await closedPort() }, AbortSignal.abort())).toMatchObject({ reason: "stopped" });
});

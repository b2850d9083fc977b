import { createSocket, type Socket } from "node:dgram";
import { afterEach, expect, test } from "vitest";
import { resolveHost } from "../../../src/net/resolve.ts";

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

/** A name server on the loopback interface; the answer is its address and port. */
async function nameServer(answer: (query: Buffer) => Buffer | undefined): Promise<string> {
  const socket = createSocket("udp4");
  sockets.push(socket);
  socket.on("message", (query, { port, address }) => {
    const reply = answer(query);
    if (reply !== undefined) socket.send(reply, port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return `127.0.0.1:${socket.address().port}`;
}

// RFC 1035, section 4: be16 id @0, be16 flags @2, be16 counts of questions, answers, authorities and others @4, the question @12
// (labels, zero, be16 type, be16 class), answers (be16 pointer to the name, be16 type, be16 class, be32 ttl, be16 length, data).

/** Answers a query of one question with no additional records, for the A record only. */
function answerA(query: Buffer, ip: readonly number[]): Buffer {
  const end = query.indexOf(0, 12) + 5;
  const isA = query.readUInt16BE(end - 4) === 1;
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2);
  for (const [at, count] of [
    [4, 1],
    [6, isA ? 1 : 0],
    [8, 0],
    [10, 0],
  ] as const)
    head.writeUInt16BE(count, at);
  const record = isA ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...ip]) : Buffer.alloc(0);
  return Buffer.concat([head, query.subarray(12, end), record]);
}

function resolve(host: string, ms = 2_000, servers: readonly string[] = []): ReturnType<typeof resolveHost> {
  return resolveHost(host, AbortSignal.timeout(ms), servers);
}

test.each([
  { host: "192.0.2.7", expected: [{ address: "192.0.2.7", family: 4 }] },
  { host: "2001:db8::7", expected: [{ address: "2001:db8::7", family: 6 }] },
  {
    host: "LocalHost",
    expected: [
      { address: "127.0.0.1", family: 4 },
      { address: "::1", family: 6 },
    ],
  },
])("$host needs no name server", async ({ host, expected }) => {
  expect(await resolve(host)).toEqual(expected);
});

test("a name is asked of the name server", async () => {
  const server = await nameServer((query) => answerA(query, [192, 0, 2, 9]));
  expect(await resolve("web.test", 2_000, [server])).toEqual([{ address: "192.0.2.9", family: 4 }]);
});

test("a name that does not exist has no address, and the reason names it", async () => {
  const server = await nameServer((query) => {
    const reply = answerA(query, []);
    reply.writeUInt16BE(0x8183, 2);
    reply.writeUInt16BE(0, 6);
    return reply.subarray(0, query.indexOf(0, 12) + 5);
  });
  expect(await resolve("web.test", 2_000, [server])).toMatch(/^web\.test has no address: .*ENOTFOUND/u);
});

test("a silent name server is waited for no longer than the signal says", async () => {
  const server = await nameServer(() => undefined);
  const began = performance.now();
  expect(await resolve("web.test", 150, [server])).toMatch(/^web\.test has no address/u);
  expect(performance.now() - began).toBeLessThan(1_500);
});

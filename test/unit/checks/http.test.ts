import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { TLSSocket } from "node:tls";
import { describe, expect, test } from "vitest";
import { httpPerformer } from "../../../src/checks/http.ts";
import type { HttpCheckOptions } from "../../../src/config/check-options.ts";
import { matcherOf } from "../../../src/checks/pattern.ts";
import type { CheckResult } from "../../../src/health/result.ts";
import { closedPort, httpServer, httpsServer, selfSigned, tcpServer } from "./servers.ts";

const PLAIN: HttpCheckOptions = {
  kind: "http",
  url: "http://127.0.0.1/",
  method: "GET",
  headers: {},
  connectTo: null,
  serverName: null,
  verify: true,
  caFile: null,
  statuses: [{ from: 200, to: 299 }],
  contains: null,
  matches: null,
  maxBodyBytes: 65_536,
};

function check(more: Partial<HttpCheckOptions>, signal = AbortSignal.timeout(5_000)): Promise<CheckResult> {
  return httpPerformer({ ...PLAIN, ...more }).run(signal);
}

describe("the status", () => {
  test.each([
    { status: 200, outcome: "ok" },
    { status: 204, outcome: "ok" },
    { status: 301, outcome: "failed" },
    { status: 503, outcome: "failed" },
  ] as const)("$status is $outcome, and no redirect is followed", async ({ status, outcome }) => {
    let requests = 0;
    const port = await httpServer((_, response) => {
      requests += 1;
      response.writeHead(status, { Location: "/elsewhere" }).end("x");
    });
    const result = await check({ url: `http://127.0.0.1:${port}/healthz` });
    expect(result).toMatchObject({ outcome, reason: expect.stringMatching(new RegExp(`^HTTP ${status}`, "u")) });
    expect(requests).toBe(1);
  });

  test("is whatever the configuration says", async () => {
    const port = await httpServer((_, response) => response.writeHead(401).end());
    const statuses = [
      { from: 200, to: 200 },
      { from: 400, to: 404 },
    ] as const;
    expect(await check({ url: `http://127.0.0.1:${port}/`, statuses })).toMatchObject({ outcome: "ok" });
    const other = await check({ url: `http://127.0.0.1:${port}/`, statuses: [{ from: 200, to: 204 }] });
    expect(other.reason).toBe("HTTP 401, wanted 200-204");
  });
});

describe("the request", () => {
  test("goes to the address, and carries the URL's host, its path, the method and the headers", async () => {
    const seen: unknown[] = [];
    const port = await httpServer((request, response) => {
      const { method, url, headers } = request;
      seen.push({ method, url, host: headers.host, extra: headers["x-extra"], auth: headers.authorization });
      response.end();
    });
    const more = { method: "HEAD", headers: { "X-Extra": "1" }, connectTo: "127.0.0.1" };
    expect(await check({ url: `http://me:pw@web.test:${port}/a?b=c`, ...more })).toMatchObject({ outcome: "ok" });
    await check({ url: `http://web.test:${port}/`, connectTo: "127.0.0.1", headers: { Host: "other.test" } });
    expect(seen).toEqual([
      { method: "HEAD", url: "/a?b=c", host: `web.test:${port}`, extra: "1", auth: "Basic bWU6cHc=" },
      { method: "GET", url: "/", host: "other.test", extra: undefined, auth: undefined },
    ]);
  });

  test("with a header that HTTP does not allow fails with that reason", async () => {
    const result = await check({ url: "http://127.0.0.1:1/", headers: { "X-Bad": "a\nb" } });
    expect(result).toMatchObject({ outcome: "failed", reason: expect.stringMatching(/Invalid character in header/u) });
  });
});

describe("the body", () => {
  async function withBody(body: string, more: Partial<HttpCheckOptions>): Promise<CheckResult> {
    const port = await httpServer((_, response) => response.end(body));
    return check({ url: `http://127.0.0.1:${port}/`, ...more });
  }

  test.each([
    { contains: "ready", matches: null, outcome: "ok" },
    { contains: "steady", matches: null, outcome: "failed" },
    { contains: null, matches: String.raw`status:\s+ready$`, outcome: "ok" },
    { contains: null, matches: "^ready", outcome: "failed" },
    { contains: "status", matches: "sick", outcome: "failed" },
  ] as const)("containing $contains and matching $matches: $outcome", async ({ outcome, ...more }) => {
    expect((await withBody("status:\n ready", more)).outcome).toBe(outcome);
  });

  test("is read no further than it may be", async () => {
    const body = `${"x".repeat(1_000)}ready`;
    expect((await withBody(body, { contains: "ready", maxBodyBytes: 1_000 })).outcome).toBe("failed");
    expect((await withBody(body, { contains: "ready", maxBodyBytes: 1_005 })).outcome).toBe("ok");
  });

  test("that never ends costs no more", async () => {
    const port = await httpServer((_, response) => {
      const write = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
      };
      response.on("drain", write);
      write();
    });
    const url = `http://127.0.0.1:${port}/`;
    expect((await check({ url, contains: "y" })).outcome).toBe("failed");
    expect((await check({ url })).outcome, "and is not needed for the status").toBe("ok");
  });

  test("makes no expression hold the daemon up", async () => {
    const began = performance.now();
    const result = await withBody(`${"a".repeat(40)}!`, { matches: "(a+)+$" });
    expect(result).toMatchObject({ outcome: "could-not-run", reason: expect.stringMatching(/takes too long/u) });
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  test("cannot hand code to the expression", () => {
    expect(matcherOf("x")("'); throw 1; ('")).toBe(false);
  });
});

describe("a server that is sick", () => {
  const hang = (more: Partial<HttpCheckOptions>): Promise<CheckResult> => check(more, AbortSignal.timeout(150));

  test.each([
    { name: "accepts and is silent", start: () => tcpServer(() => {}) },
    { name: "sends half a head", start: () => tcpServer((socket) => socket.write("HTTP/1.1 200 OK\r\nA: b\r\n")) },
    {
      name: "sends informational answers only",
      start: () => tcpServer((socket) => socket.write("HTTP/1.1 102 Processing\r\n\r\n")),
    },
  ])("$name: the check ends with its signal", async ({ start }) => {
    const began = performance.now();
    const result = await hang({ url: `http://127.0.0.1:${await start()}/` });
    expect(result.outcome).toBe("failed");
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  test("drips its body: the check of the body ends with its signal, that of the status does not wait", async () => {
    const port = await httpServer((_, response) => {
      const timer = setInterval(() => response.write("x"), 20);
      response.on("close", () => clearInterval(timer));
      response.write("x");
    });
    expect((await hang({ url: `http://127.0.0.1:${port}/`, contains: "y" })).outcome).toBe("failed");
    expect((await hang({ url: `http://127.0.0.1:${port}/` })).outcome).toBe("ok");
  });

  test.each([
    { name: "closes at once", text: "", why: /closed or reset the connection/u },
    { name: "speaks no HTTP", text: "220 mail ESMTP\r\n", why: /Parse Error/u },
    {
      name: "sends a head without end",
      text: `HTTP/1.1 200 OK\r\n${"A: b\r\n".repeat(10_000)}`,
      why: /head of the answer is too long/u,
    },
    {
      name: "closes in the middle of its body",
      text: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
      why: /closed before the answer was whole|reset/u,
    },
  ])("$name: the reason says so", async ({ text, why }) => {
    const port = await tcpServer((socket) => {
      socket.on("data", () => socket.end(text));
    });
    const result = await check({ url: `http://127.0.0.1:${port}/`, contains: "never" });
    expect(result).toMatchObject({ outcome: "failed", reason: expect.stringMatching(why) });
  });

  test("is not there: the reason says so", async () => {
    const result = await check({ url: `http://127.0.0.1:${await closedPort()}/` });
    expect(result.reason).toMatch(/connection refused/u);
  });

  test("wants another protocol: the status counts, and the connection is closed", async () => {
    const port = await httpServer(() => {});
    const upgraded = await tcpServer((socket) => {
      socket.on("data", () => socket.write("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"));
    });
    expect(port).toBeGreaterThan(0);
    expect((await check({ url: `http://127.0.0.1:${upgraded}/` })).reason).toMatch(/HTTP 101, wanted/u);
  });
});

describe("TLS", () => {
  const certificate = selfSigned("web.test");

  async function server(seen: string[] = []): Promise<number> {
    return httpsServer(certificate, (request, response) => {
      seen.push((request.socket as TLSSocket & { servername: string | false }).servername || "none");
      response.end("ok");
    });
  }

  test("a certificate of an unknown authority is refused, unless it is named, or nothing is verified", async () => {
    const url = `https://web.test:${await server()}/`;
    const here = { url, connectTo: "127.0.0.1" };
    const refused = await check(here);
    expect(refused).toMatchObject({
      outcome: "failed",
      reason: expect.stringMatching(/self-signed: name its CA file/u),
    });
    expect(await check({ ...here, caFile: certificate.cert })).toMatchObject({ outcome: "ok" });
    expect(await check({ ...here, verify: false })).toMatchObject({ outcome: "ok" });
  });

  test("the name of the handshake is the URL's, or the one that is configured", async () => {
    const seen: string[] = [];
    const port = await server(seen);
    const base = { connectTo: "127.0.0.1", caFile: certificate.cert };
    expect((await check({ ...base, url: `https://web.test:${port}/` })).outcome).toBe("ok");
    expect((await check({ ...base, url: `https://127.0.0.1:${port}/`, serverName: "web.test" })).outcome).toBe("ok");
    expect((await check({ ...base, url: `https://127.0.0.1:${port}/`, verify: false })).outcome).toBe("ok");
    expect(seen).toEqual(["web.test", "web.test", "none"]);
  });

  test("a certificate for another name is refused, with the name", async () => {
    const url = `https://other.test:${await server()}/`;
    const result = await check({ url, connectTo: "127.0.0.1", caFile: certificate.cert });
    expect(result.reason).toMatch(/the certificate is for another name: .*other\.test/u);
  });

  test("a CA file that cannot be read is said to be that", async () => {
    const result = await check({ url: "https://127.0.0.1:1/", caFile: "/nonexistent/ca.pem" });
    expect(result).toMatchObject({ outcome: "could-not-run", reason: expect.stringMatching(/CA file \/nonexistent/u) });
    writeFileSync(`${certificate.cert}.bad`, "no certificate");
    const port = await server();
    const bad = { url: `https://127.0.0.1:${port}/`, caFile: `${certificate.cert}.bad` };
    expect((await check(bad)).outcome).not.toBe("ok");
  });

  test("a server that accepts and never shakes hands ends with the signal", async () => {
    const port = await tcpServer((socket) => void once(socket, "close"));
    const result = await check({ url: `https://127.0.0.1:${port}/` }, AbortSignal.timeout(150));
    expect(result.outcome).toBe("failed");
  });
});

test.each([
  { name: "no URL", more: { url: "localhost/healthz" } },
  { name: "another protocol", more: { url: "ftp://127.0.0.1/" } },
  { name: "no expression", more: { matches: "(" } },
  { name: "an expression that is too long", more: { matches: "x".repeat(2_000) } },
])("options that make no sense are refused at once: $name", ({ more }) => {
  expect(() => httpPerformer({ ...PLAIN, ...more })).toThrow(expect.objectContaining({ code: "config" }));
});

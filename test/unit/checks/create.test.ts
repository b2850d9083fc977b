// Each kind of check is performed by its own performer, and every kind of options makes one.

import { expect, test } from "vitest";
import { createPerformer } from "../../../src/checks/create.ts";
import type { CheckOptions } from "../../../src/config/check-options.ts";
import { recordingLog } from "./recording-log.ts";
import { timers } from "../process/scripts.ts";
import { closedPort } from "./servers.ts";

const HTTP = {
  method: "GET",
  headers: {},
  connectTo: null,
  serverName: null,
  verify: true,
  caFile: null,
  statuses: [{ from: 200, to: 299 }],
  contains: null,
  matches: null,
  maxBodyBytes: 0,
};

const packets = { announce: () => true, probe: () => Promise.resolve([]), close: () => {} };
const linkNews = { links: () => [], follow: () => () => {} };

test.each<{ kind: CheckOptions["kind"]; make: (port: number) => CheckOptions; reason: RegExp }>([
  {
    kind: "script",
    make: () => ({ kind: "script", argv: ["false"], user: null, graceMs: 100 }),
    reason: /^exit status 1$/u,
  },
  { kind: "http", make: (port) => ({ ...HTTP, kind: "http", url: `http://127.0.0.1:${port}/` }), reason: /refused/u },
  {
    kind: "tcp",
    make: (port) => ({ kind: "tcp", host: "127.0.0.1", port, send: null, expect: null }),
    reason: /refused/u,
  },
  {
    kind: "process",
    make: () => ({ kind: "process", name: "vipd-no-such", pidfile: null, least: 1 }),
    reason: /^no process vipd-no-such$/u,
  },
  { kind: "file", make: () => ({ kind: "file", path: "/nonexistent", wants: "present" }), reason: /is not there$/u },
  {
    kind: "gateway",
    make: () => ({ kind: "gateway", address: "10.0.0.1", interface: "eth0", waitMs: 10 }),
    reason: /^10\.0\.0\.1 does not answer on eth0$/u,
  },
  {
    kind: "interface",
    make: () => ({ kind: "interface", interface: "eth0", debounceMs: 0 }),
    reason: /^eth0 is missing$/u,
  },
])("$kind", async ({ make, reason }) => {
  const performer = createPerformer(make(await closedPort()), { timers, log: recordingLog().log, packets, linkNews });
  expect(await performer.run(AbortSignal.timeout(5_000))).toMatchObject({
    outcome: "failed",
    reason: expect.stringMatching(reason),
  });
});

// Adapters are loaded only when they are used: who keeps a fleet in Redis never loads gRPC.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdlp-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Nothing listens at port 1: stores may be opened before their servers are there. */
test.each([
  ["redis://127.0.0.1:1", ["ioredis"], ["etcd3", "@grpc/grpc-js", "koffi"]],
  ["etcd://127.0.0.1:1", ["etcd3", "@grpc/grpc-js"], ["ioredis", "koffi"]],
  ["sqlite:", [], ["ioredis", "etcd3", "@grpc/grpc-js"]],
])("%s loads %j, and none of %j", (url, some, none) => {
  const script = join(import.meta.dirname, "loaded-packages.ts");
  const whole = url === "sqlite:" ? `sqlite:${join(directory, "fleet.db")}` : url;
  const printed = execFileSync(process.execPath, ["--no-warnings", script, whole], { encoding: "utf8" });
  const loaded = JSON.parse(printed) as readonly string[];
  expect(loaded).toEqual(expect.arrayContaining(some));
  expect(loaded.filter((name) => none.includes(name))).toEqual([]);
});

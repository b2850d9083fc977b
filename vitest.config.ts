// The groups of tests. Those that measure hosts run one file at a time: frozen processors would end leases.

import { defineConfig } from "vitest/config";

const quick = (name: string, testTimeout = 20_000) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], pool: "forks" as const, testTimeout, hookTimeout: 60_000 },
});

const alone = (name: string) => ({
  test: { ...quick(name, 60_000).test, fileParallelism: false, maxWorkers: 1 },
});

export default defineConfig({
  test: {
    projects: [
      quick("tidy", 60_000),
      quick("unit"),
      quick("conformance", 60_000),
      quick("simulation", 600_000),
      quick("library", 60_000),
      alone("linux"),
      alone("hosts"),
      quick("outages", 60_000),
      { test: { ...alone("systemd").test, testTimeout: 180_000, hookTimeout: 180_000 } },
      quick("interop", 60_000),
    ],
  },
});

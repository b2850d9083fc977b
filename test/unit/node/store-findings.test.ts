// What a store's servers say of themselves, in the log: once, when the store has answered.

import { describe, expect, test } from "vitest";
import { logStoreFindings } from "../../../src/node/store-findings.ts";
import type { StoreFinding } from "../../../src/ports/store.ts";
import { openMemoryStore } from "../../servers/memory/index.ts";
import { altered } from "../runtime/stores.ts";
import { settlePromises } from "../runtime/virtual-timers.ts";
import { FakeLog } from "./fake-log.ts";

/** A daemon that tells of its changes, and a store that says these things of itself. */
class Daemon {
  readonly log = new FakeLog();
  ready = false;
  examined = 0;
  private readonly listeners: (() => void)[] = [];

  constructor(examine: (() => Promise<readonly StoreFinding[]>) | undefined) {
    const counted = examine && (() => ((this.examined += 1), examine()));
    const store = altered(openMemoryStore(), counted === undefined ? {} : { examine: counted });
    logStoreFindings(
      store,
      this.log,
      () => this.ready,
      (listener) => this.listeners.push(listener),
    );
  }

  async change(): Promise<void> {
    for (const listener of this.listeners) listener();
    await settlePromises();
  }
}

describe("findings", () => {
  test("are asked for when the store has answered, and once only", async () => {
    const daemon = new Daemon(() => Promise.resolve([{ text: "etcd 3.5.1", fix: null }]));
    await daemon.change();
    expect(daemon.examined).toBe(0);
    daemon.ready = true;
    await daemon.change();
    await daemon.change();
    expect(daemon.examined).toBe(1);
    expect(daemon.log.messages("debug")).toEqual(["the store: etcd 3.5.1"]);
  });

  test("that ask for help are warnings, with what to do", async () => {
    const daemon = new Daemon(() =>
      Promise.resolve([
        { text: "appendonly is off", fix: "set appendonly yes" },
        { text: "redis 7.2", fix: null },
      ]),
    );
    daemon.ready = true;
    await daemon.change();
    expect(daemon.log.lines).toEqual([
      { level: "warn", message: "the store: appendonly is off", fields: { fix: "set appendonly yes" } },
      { level: "debug", message: "the store: redis 7.2", fields: {} },
    ]);
  });

  test("that cannot be had are a warning, and no more", async () => {
    const daemon = new Daemon(() => Promise.reject(new Error("connection refused")));
    daemon.ready = true;
    await daemon.change();
    expect(daemon.log.messages("warn")).toEqual(["the store could not be examined: connection refused"]);
  });

  test("are none where there is no server", async () => {
    const daemon = new Daemon(undefined);
    daemon.ready = true;
    await daemon.change();
    expect(daemon.log.lines).toEqual([]);
  });
});

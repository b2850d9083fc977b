// The VRRP machine and its sockets beside a real keepalived, one cable between them: priorities, conflicts, freezes.

import { bootTimeMs } from "../../adapters/linux/native.ts";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { reason } from "../../src/base/reasons.ts";
import { eventually, useWire } from "../linux/namespaces.ts";
import { openListener } from "../linux/vrrp-helpers.ts";
import { type Dialect, has, Keepalived, Router, V4 } from "./parties.ts";

const QUICK: Dialect = { version: 3, intervalMs: 200, unicast: false, ...V4 };

const wire = useWire();

describe("beside keepalived", () => {
  it("of equal priority neither takes over from the other", async () => {
    const keepalived = new Keepalived(wire(), QUICK).start(100);
    await keepalived.untilMaster();
    const router = new Router(wire(), QUICK, 100);
    await pause(2_000);
    expect([router.phase, keepalived.holds]).toEqual(["backup", true]);
    await keepalived.stop();
    await router.until("master");
    keepalived.start(100);
    await pause(2_000);
    expect([router.phase, keepalived.holds]).toEqual(["master", false]);
  });

  it("a higher priority pre-empts, a risen one too, and nopreempt does not", async () => {
    const keepalived = new Keepalived(wire(), QUICK).start(100);
    await keepalived.untilMaster();
    const waiting = new Router(wire(), QUICK, 200, { preempt: false });
    await pause(2_000);
    expect(waiting.phase).toBe("backup");
    waiting.post({ type: "stop", reason: reason("shutdown") });
    await waiting.ended();
    const router = new Router(wire(), QUICK, 90);
    await router.until("backup");
    router.post({ type: "priority", priority: 200 });
    await router.until("master");
    await keepalived.untilBackup();
    router.post({ type: "priority", priority: 50 });
    await keepalived.untilMaster();
    expect(await router.until("backup")).toBeGreaterThan(0);
  });

  it("a step-down leaves the addresses with keepalived, although its priority is lower", async () => {
    const router = new Router(wire(), QUICK, 200);
    await router.until("master");
    const keepalived = new Keepalived(wire(), QUICK).start(100);
    await pause(1_500);
    router.post({ type: "step-down", reason: reason("step-down") });
    await keepalived.untilMaster();
    await pause(2_000);
    expect([router.phase, keepalived.holds]).toEqual(["backup", true]);
    await keepalived.stop();
    await router.until("master");
  });

  it("learns an interval that differs, in version 3", async () => {
    const slow = new Keepalived(wire(), { ...QUICK, intervalMs: 600 }).start(150);
    await slow.untilMaster();
    const router = new Router(wire(), QUICK, 100);
    await pause(2_500);
    expect([router.phase, slow.holds]).toEqual(["backup", true]);
    const killedAt = bootTimeMs();
    await slow.crash();
    expect((await router.until("master")) - killedAt).toBeGreaterThan(1_200);
  });

  it("of other addresses is not believed, and people are told why", async () => {
    const differing = { ...QUICK, vip: "10.77.0.60" };
    new Keepalived(wire(), differing).start(150);
    const router = new Router(wire(), QUICK, 100);
    await router.until("master");
    const note = router.after(0, "note")[0];
    expect(note).toMatchObject({ code: "addresses-differ", level: "warning" });
    expect(note?.text).toContain("10.77.0.60");
  });

  it("a master that sees a lower one after their cable was cut ends the conflict, and tells of it", async () => {
    const router = new Router(wire(), QUICK, 200);
    await router.until("master");
    const keepalived = new Keepalived(wire(), QUICK).start(100);
    await pause(1_200);
    // Adverts of the router are dropped on their way in; keepalived's are heard.
    const nft = (...rule: readonly string[]): string => wire().peer.exec("nft", ...rule);
    nft("add", "table", "netdev", "cut");
    nft("add", "chain", "netdev", "cut", "in", "{ type filter hook ingress device eth0 priority 0; }");
    nft("add", "rule", "netdev", "cut", "in", "ip", "protocol", "112", "drop");
    await keepalived.untilMaster();
    await eventually("the conflict is seen", () => router.after(0, "conflict-begins").length > 0);
    expect(router.phase).toBe("master");
    expect(router.after(0, "announce").length).toBeGreaterThan(0);
    nft("delete", "table", "netdev", "cut");
    await keepalived.untilBackup();
    await eventually("the conflict is over", () => router.after(0, "conflict-ends").length > 0);
    expect(router.phase).toBe("master");
  });

  it.each([700, 1_100, 3_000])(
    "a master that was frozen for %d ms is silent when it thaws, and gives up",
    async (ms) => {
      const router = new Router(wire(), QUICK, 200, { preempt: false });
      await router.until("master");
      const keepalived = new Keepalived(wire(), QUICK).start(100);
      await pause(1_200);
      router.child.kill("SIGSTOP");
      await pause(ms);
      const source = openListener(wire(), wire().peer);
      router.child.kill("SIGCONT");
      await router.until("backup");
      await keepalived.untilMaster();
      await pause(1_500);
      expect([router.phase, keepalived.holds, has(wire().host, QUICK.vip)]).toEqual(["backup", true, false]);
      expect(source.heard.filter(({ source }) => source === QUICK.own)).toEqual([]);
    },
  );

  it("its adverts keep their interval, and the farewell is the last", async () => {
    const source = openListener(wire(), wire().peer);
    const router = new Router(wire(), QUICK, 200);
    await router.until("master");
    await pause(2_000);
    router.post({ type: "stop", reason: reason("shutdown") });
    await router.ended();
    source.drain();
    expect(source.heard.map(({ fault }) => fault)).toEqual(source.heard.map(() => undefined));
    expect(source.heard.at(-1)?.message?.priority).toBe(0);
    expect(source.heard.filter(({ message }) => message?.priority === 0)).toHaveLength(1);
    expect(source.heard.length).toBeGreaterThan(9);
  });
});

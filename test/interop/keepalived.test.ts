// The VRRP machine and its sockets beside a real keepalived, one cable between them: who is master, and when it changes.

import { bootTimeMs } from "../../adapters/linux/native.ts";
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { eventually, useWire } from "../linux/namespaces.ts";
import { openListener } from "../linux/vrrp-helpers.ts";
import {
  addLinkLocals,
  type Dialect,
  has,
  Keepalived,
  keepalivedIsThere,
  LINK_LOCAL,
  Router,
  V4,
  V6,
} from "./parties.ts";

const DIALECTS: readonly (Dialect & { readonly name: string })[] = [
  { name: "version 2", version: 2, intervalMs: 1_000, unicast: false, ...V4 },
  { name: "version 2, password", version: 2, intervalMs: 1_000, unicast: false, password: "verylongsecret", ...V4 },
  { name: "version 2, unicast", version: 2, intervalMs: 1_000, unicast: true, ...V4 },
  { name: "version 3", version: 3, intervalMs: 200, unicast: false, ...V4 },
  { name: "version 3, unicast", version: 3, intervalMs: 200, unicast: true, ...V4 },
  { name: "version 3, IPv6", version: 3, intervalMs: 200, unicast: false, ...LINK_LOCAL },
  { name: "version 3, IPv6, unicast", version: 3, intervalMs: 200, unicast: true, ...V6 },
];
const QUICK: Dialect = { version: 3, intervalMs: 200, unicast: false, ...V4 };

const wire = useWire();

beforeAll(() => {
  expect(keepalivedIsThere(), "apt install keepalived").toBe(true);
});

/** The master-down time of a priority. */
const downMs = ({ version, intervalMs }: Dialect, priority: number): number =>
  3 * intervalMs + ((256 - priority) / 256) * (version === 2 ? 1_000 : intervalMs);
const skewMs = (dialect: Dialect, priority: number): number => downMs(dialect, priority) - 3 * dialect.intervalMs;

describe.each(DIALECTS)("$name", (dialect) => {
  it("as backup: obeys keepalived, takes over when it is killed and when it stops, and gives way when it is back", async () => {
    addLinkLocals(wire());
    const keepalived = new Keepalived(wire(), dialect).start(150);
    await keepalived.untilMaster();
    const router = new Router(wire(), dialect, 100);
    await pause(downMs(dialect, 100) + 2 * dialect.intervalMs);
    expect([router.phase, keepalived.holds]).toEqual(["backup", true]);

    const killedAt = bootTimeMs();
    await keepalived.crash();
    const tookOver = (await router.until("master")) - killedAt;
    expect(tookOver).toBeGreaterThan(downMs(dialect, 100) - dialect.intervalMs - 5);
    expect(tookOver).toBeLessThan(downMs(dialect, 100) + 150);
    await eventually("the address is ours", () => has(wire().host, dialect.vip));

    keepalived.start(150);
    await keepalived.untilMaster();
    await router.until("backup");
    expect(has(wire().host, dialect.vip)).toBe(false);
    const [lost] = router.after(killedAt, "lose");
    expect(lost?.change.cause).toBe("outranked");

    const stoppedAt = bootTimeMs();
    await keepalived.stop();
    const followed = (await router.until("master")) - stoppedAt;
    // Its skew, and no master-down time.
    expect(followed).toBeLessThan(skewMs(dialect, 100) + 2 * dialect.intervalMs);
    expect(router.after(stoppedAt, "moved")[0]?.change.cause).toBe("farewell");
  });

  it("as master: keepalived obeys, and follows a farewell after its skew and a death after its time", async () => {
    addLinkLocals(wire());
    const router = new Router(wire(), dialect, 200);
    await router.until("master");
    const keepalived = new Keepalived(wire(), dialect).start(100);
    await pause(downMs(dialect, 100) + 3 * dialect.intervalMs);
    expect([router.phase, keepalived.holds]).toEqual(["master", false]);
    expect(router.after(0, "conflict-begins")).toEqual([]);

    const stoppedAt = bootTimeMs();
    router.post({ type: "stop" });
    await router.ended();
    expect((await keepalived.untilMaster()) - stoppedAt).toBeLessThan(skewMs(dialect, 100) + 2 * dialect.intervalMs);

    const second = new Router(wire(), dialect, 200);
    await second.until("master");
    await keepalived.untilBackup();
    second.child.kill("SIGKILL");
    const killedAt = bootTimeMs();
    wire().host.exec("ip", "address", "flush", "dev", "eth0", "to", dialect.vip);
    const died = (await keepalived.untilMaster()) - killedAt;
    expect(died).toBeGreaterThan(2 * dialect.intervalMs);
    expect(died).toBeLessThan(downMs(dialect, 100) + 200);
  });
});

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
    waiting.post({ type: "stop" });
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
    router.post({ type: "step-down" });
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

  it("its adverts keep their rhythm, and the farewell is the last", async () => {
    const source = openListener(wire(), wire().peer);
    const router = new Router(wire(), QUICK, 200);
    await router.until("master");
    await pause(2_000);
    router.post({ type: "stop" });
    await router.ended();
    source.drain();
    expect(source.heard.map(({ fault }) => fault)).toEqual(source.heard.map(() => undefined));
    expect(source.heard.at(-1)?.message?.priority).toBe(0);
    expect(source.heard.filter(({ message }) => message?.priority === 0)).toHaveLength(1);
    expect(source.heard.length).toBeGreaterThan(9);
  });
});

// What the VRRP machine and its sockets do beside a real keepalived, whatever both speak: who is master, and when it
// changes.

import { bootTimeMs } from "../../adapters/linux/native.ts";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { reason } from "../../src/base/reasons.ts";
import { eventually, useWire } from "../linux/namespaces.ts";
import { addLinkLocals, type Dialect, has, Keepalived, Router } from "./parties.ts";

/** The master-down time of a priority. */
const downMs = ({ version, intervalMs }: Dialect, priority: number): number =>
  3 * intervalMs + ((256 - priority) / 256) * (version === 2 ? 1_000 : intervalMs);
const skewMs = (dialect: Dialect, priority: number): number => downMs(dialect, priority) - 3 * dialect.intervalMs;

/** The tests of one way to speak with keepalived. */
export function speaksWithKeepalived(name: string, dialect: Dialect): void {
  describe(name, () => {
    const wire = useWire();

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
      expect(lost?.change.code).toBe("higher-master");

      const stoppedAt = bootTimeMs();
      await keepalived.stop();
      const followed = (await router.until("master")) - stoppedAt;
      // Its skew, and no master-down time.
      expect(followed).toBeLessThan(skewMs(dialect, 100) + 2 * dialect.intervalMs);
      expect(router.after(stoppedAt, "moved")[0]?.change.code).toBe("master-left");
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
      router.post({ type: "stop", reason: reason("shutdown") });
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
}

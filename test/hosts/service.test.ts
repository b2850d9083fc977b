// What the service manager hears from a daemon.

import { join } from "node:path";
import { expect, test } from "vitest";
import { AF_UNIX, bindSocket, closeFd, openSocket, receive, SOCK_DGRAM } from "../../adapters/linux/native.ts";
import { oneVip, VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a"]);

test("SIGUSR2 ends it for a restart: the next process takes VIP and token over, and nobody notices", async () => {
  const { fleet, recorder, idle } = bench();
  const token = async (): Promise<string> =>
    (
      JSON.parse((await fleet.vipctl(host, ["who-owns", "web", "--json", "--socket", socket])).stdout) as {
        token: string;
      }
    ).token;
  const host = bench().host("a");
  const socket = fleet.socketOf(host);
  const first = fleet.start(host, { vips: oneVip(100), ttl: "3s" });
  await first.holds();
  const [before, from] = [await token(), await bench().mark("a")];
  first.signal("SIGUSR2");
  await expect(first.ended).resolves.toEqual({ code: 0, signal: null });
  await fleet.restart(host).holds();
  await idle(4_000);
  expect(await token()).toBe(before);
  expect(recorder.gapMs(VIP, from)).toBeLessThan(1_000);
});

test("ready, what is held, alive again and again, reloading, stopping", async () => {
  const { fleet } = bench();
  const path = join(fleet.directory, "notify");
  const fd = openSocket(AF_UNIX, SOCK_DGRAM, 0);
  bindSocket(fd, Buffer.concat([Uint8Array.of(AF_UNIX, 0), Buffer.from(path)]));
  const heard: string[] = [];
  const listen = (): readonly string[] => {
    const buffer = new Uint8Array(1_024);
    for (let got = receive(fd, buffer); got !== undefined; got = receive(fd, buffer))
      heard.push(Buffer.from(got.data).toString());
    return heard;
  };
  try {
    Object.assign(fleet.env, { NOTIFY_SOCKET: path, WATCHDOG_USEC: "300000" });
    const a = fleet.start(bench().host("a"), { vips: oneVip(100) });
    await a.holds();
    await expect.poll(listen, { timeout: 5_000 }).toContain("STATUS=holds 1 of 1 VIPs: web");
    expect(heard[0]).toBe("READY=1");
    await expect
      .poll(() => listen().filter((text) => text === "WATCHDOG=1").length, { timeout: 5_000 })
      .toBeGreaterThan(3);
    a.signal("SIGHUP");
    await expect.poll(() => listen().filter((text) => text === "READY=1").length, { timeout: 5_000 }).toBe(2);
    expect(heard.some((text) => /^RELOADING=1\nMONOTONIC_USEC=\d+$/u.test(text))).toBe(true);
    a.signal("SIGSTOP");
    await bench().idle(300);
    listen();
    heard.length = 0;
    await bench().idle(400);
    expect(listen(), "a frozen daemon is not alive to its service manager").toEqual([]);
    a.signal("SIGCONT");
    a.signal("SIGTERM");
    await a.ended;
    expect(listen()).toContain("STOPPING=1");
  } finally {
    closeFd(fd);
  }
});

// vipctl doctor on a real host: its checks, run once, and a service that listens on the VIP itself.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { oneVip, VIP } from "./harness/fleet.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a"]);

const LISTEN = `require("node:net").createServer().listen(8080, "${VIP}", () => console.log("listens"))`;

test("each check is run once with what it would do, no recovery is; who listens on the VIP is told", async () => {
  const { fleet } = bench();
  const host = bench().host("a");
  const [program, recovered] = [join(fleet.directory, "check.sh"), join(fleet.directory, "recovered")];
  writeFileSync(program, "#!/bin/sh\necho three of four\nexit 3\n", { mode: 0o755 });
  const extra = `checks:
  script: { script: [${program}], recover: { run: [/bin/touch, ${recovered}] }, interval: 1h, initial: ok }
  slow: { script: [/bin/sleep, "60"], timeout: 200ms, weight: 20, interval: 1h, initial: ok }
  link: { interface: eth0, weight: 10 }
  router: { gateway: ${bench().lan.client.ip}, via: eth0 }
  service: { tcp: "${VIP}:8080", weight: -5, interval: 1h, initial: ok }`;
  const checks = "    checks: [script, slow, link, router, service]\n";
  const daemon = fleet.start(host, { vips: oneVip(100, checks), extra });
  await daemon.holds();
  const service = spawn("ip", ["netns", "exec", host.namespace.name, fleet.node, "-e", LISTEN], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await once(service.stdout, "data");
    const { stdout, code } = await fleet.vipctl(host, ["doctor", "--config", fleet.configFile(host)]);
    for (const line of [
      /warning +network +web: a service listens on 10\.77\.0\.50 itself \(port 8080\): it cannot start on a node that does not hold the VIP/u,
      /warning +check +web: its check service asks 10\.77\.0\.50, an address of the VIP/u,
      /warning +check +script: failed: exit status 3 \(three of four\); this node does not hold web while another one is healthy\n +-> this counts after 2 failures in a row, and once .+ was tried in vain/u,
      /warning +check +slow: failed: did not end within 200 ms/u,
      /ok +check +link: ok: eth0 is up; priority of web 100 -> 110/u,
      /ok +check +router: ok: /u,
      /check +service: (?:ok|failed): /u,
    ])
      expect(stdout).toMatch(line);
    expect(code).toBe(0);
    expect(host.namespace.exec("ls", fleet.directory)).not.toContain("recovered");
  } finally {
    service.kill();
    await once(service, "exit");
  }
});

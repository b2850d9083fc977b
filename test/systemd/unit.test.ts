// The life of vipd under a real systemd, as the README and docs/operating.md have it: installed from the tarball, started,
// reloaded, killed, frozen, upgraded, stopped, purged; as the unprivileged user of the unit, and as root.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bootTimeMs } from "../../adapters/linux/native.ts";
import { Lan } from "../hosts/harness/lan.ts";
import { Recorder } from "../hosts/harness/recorder.ts";
import { Machine, ineligibleReason } from "./machine.ts";
import { documented, installCommands, NODE, Workshop } from "./package.ts";

const VIP = "10.77.0.50";
const CONFIG = `store: sqlite:/var/lib/vipd/fleet.db
vips:
  web:
    interface: eth0
    addresses: [${VIP}/24]
`;
/** Much shorter than a lease that ended and was taken anew, and long enough for a busy machine's pings. */
const SHORT_MS = 1_000;

const refused = await ineligibleReason();
if (refused !== undefined) process.stderr.write(`SKIPPED: nothing is tested under systemd: ${refused}\n`);

let workshop: Workshop;
beforeAll(async () => {
  if (refused === undefined) workshop = await Workshop.open();
});
afterAll(() => workshop?.close());

describe.skipIf(refused !== undefined)("installed", () => {
  test("by the commands of the README, the same again as an upgrade", async () => {
    const prefix = await workshop.installed("first");
    workshop.release("0.1.1");
    await workshop.inClone(installCommands(), prefix);
    const [vipd, vipctl] = [`${prefix}/bin/vipd`, `${prefix}/bin/vipctl`];
    expect(await workshop.inClone(`${vipd} --version; ${vipctl} --version`, prefix)).toBe("0.1.1\n0.1.1\n");
    expect(await workshop.inClone(`stat -L -c %a ${vipd} ${vipctl}`, prefix)).toBe("755\n755\n");
    expect(await workshop.inClone(`readlink -f ${vipd}`, prefix), "not a link into the clone").toContain(prefix);
    expect(await workshop.inClone(`ls ${prefix}/lib/node_modules/vipd/docs/examples`, prefix)).toContain(
      "one-writer.ts",
    );
  });
});

describe.skipIf(refused !== undefined).each([
  ["as the user of the unit", "vipd", undefined],
  ["as root", "root", "[Service]\nUser=root\nGroup=root\n"],
])("a service that runs %s", (_title, user, dropIn) => {
  const world = inhabit(user);

  test("starts from the README's commands", async () => {
    const { machine } = world();
    await machine.sh(`mkdir -p /etc/vipd && cat >/etc/vipd/vipd.yaml <<'END'\n${CONFIG}END`);
    if (dropIn !== undefined)
      await machine.sh(
        `mkdir -p /etc/systemd/system/vipd.service.d && printf '${dropIn.replaceAll("\n", "\\n")}' >/etc/systemd/system/vipd.service.d/user.conf`,
      );
    await machine.sh(documented("README.md", "start it under systemd"));
    await world().holds();
    expect(await machine.must("ps", "-o", "user=", "-p", await world().pid())).toBe(`${user}\n`);
    expect(await machine.must("stat", "-c", "%U %a", "/run/vipd/vipd.sock")).toBe(`${user} 660\n`);
    expect(await machine.must("ls", "-A", "/run/vipd")).toBe("vipd.sock\n");
    expect(await machine.must("systemctl", "show", "-P", "StatusText", "vipd")).toBe("holds 1 of 1 VIPs: web\n");
  });

  test("reloads, and refuses a file with mistakes", async () => {
    const { machine } = world();
    const before = await world().token();
    await machine.sh("sed -i 's/interface: eth0/interface: eth0\\n    priority: 150/' /etc/vipd/vipd.yaml");
    await machine.must("systemctl", "reload", "vipd");
    await expect.poll(() => world().status(), { timeout: 10_000 }).toContain('"priority":150');
    await machine.sh("echo nonsense: 1 >>/etc/vipd/vipd.yaml");
    await machine.must("systemctl", "reload", "vipd");
    await expect.poll(() => world().log(), { timeout: 10_000 }).toContain("the running configuration is kept");
    // Each line has its priority in the journal: who asks for errors gets these alone.
    const errors = await machine.must("journalctl", "-u", "vipd", "-p", "err", "-o", "cat", "--no-pager");
    expect(errors).toContain("the running configuration is kept");
    expect(errors).not.toContain("vipd runs");
    await machine.sh("sed -i /nonsense/d /etc/vipd/vipd.yaml");
    expect(await world().token()).toBe(before);
  });

  test("is started again after kill -9; VIP and token stay", async () => {
    await world().stays(async () => {
      await world().machine.must("systemctl", "kill", "--kill-who=main", "--signal=KILL", "vipd");
    });
  });

  test("is replaced when it freezes", async () => {
    const { machine } = world();
    await world().holds();
    const before = await world().pid();
    await machine.must("systemctl", "kill", "--kill-who=main", "--signal=STOP", "vipd");
    await world().replaced(before);
    await world().holds();
    expect(await world().log()).toContain("Watchdog timeout");
  });

  test("is upgraded; VIP and token stay", async () => {
    const { machine } = world();
    workshop.release("0.1.2");
    await world().stays(async () => {
      await workshop.inClone(installCommands(), world().prefix);
      await machine.sh(documented("docs/operating.md", "## Upgrade"));
    });
    expect(await world().log()).toContain('"version":"0.1.2"');
  });

  test("is rolled back in the same way; VIP and token stay", async () => {
    const { machine } = world();
    workshop.release("0.1.1");
    const before = (await world().log()).length;
    await world().stays(async () => {
      await workshop.inClone(installCommands(), world().prefix);
      await machine.sh(documented("docs/operating.md", "## Upgrade"));
    });
    expect((await world().log()).slice(before)).toContain('"version":"0.1.1"');
  });

  test("opens no debugger on SIGUSR1", async () => {
    const { machine } = world();
    await machine.must("systemctl", "kill", "--kill-who=main", "--signal=USR1", "vipd");
    await expect.poll(() => world().log(), { timeout: 10_000 }).toContain("SIGUSR1 means nothing");
    expect(await machine.must("ss", "--listening", "--tcp", "--no-header")).toBe("");
  });

  test("stops, and leaves no address", async () => {
    const { machine } = world();
    await machine.must("systemctl", "stop", "vipd");
    expect(await machine.must("systemctl", "show", "-P", "Result", "vipd")).toBe("success\n");
    expect(await machine.must("ip", "address", "show", "dev", "eth0")).not.toContain(VIP);
  });

  test("is purged", async () => {
    const { machine } = world();
    await machine.sh(documented("docs/operating.md", "## Remove"));
    await machine.sh("rm -rf /etc/systemd/system/vipd.service.d");
    await workshop.inClone("npm uninstall --global vipd", world().prefix);
    expect(await machine.sh("find / -xdev -name '*vipd*' -not -path '/proc/*' -not -path '/usr/*'")).toBe("");
    expect(await machine.must("find", "/usr/local", "-name", "vip*")).toBe("");
    expect(await machine.must("nft", "list", "ruleset")).not.toContain("vipd");
  });
});

interface World {
  readonly machine: Machine;
  readonly prefix: string;
  holds(): Promise<void>;
  /** The daemon's process id on the machine, "0" when none runs. */
  pid(): Promise<string>;
  /** Waits until another process than that one is the daemon. */
  replaced(pid: string): Promise<void>;
  token(): Promise<string>;
  status(): Promise<string>;
  log(): Promise<string>;
  /** `work` changes neither who answers, nor for longer than an instant whether, nor the token. */
  stays(work: () => Promise<void>): Promise<void>;
}

/** One machine with vipd installed, for the tests of a block in their order. */
function inhabit(name: string): () => World {
  let world: World | undefined;
  const closers: (() => unknown)[] = [];
  beforeAll(async () => {
    const prefix = await workshop.installed(name);
    const lan = new Lan(["a"]);
    closers.unshift(() => lan.close());
    const recorder = new Recorder(lan, [VIP]);
    closers.unshift(() => recorder.close());
    const network = lan.hosts[0]?.namespace.name ?? "";
    const machine = await Machine.boot({ name: "lb1", network, local: prefix, node: NODE });
    closers.unshift(() => machine.close());
    world = settle(machine, prefix, recorder);
  });
  afterAll(async () => {
    for (const close of closers) await close();
  });
  return () => {
    if (world === undefined) throw new Error("the machine did not come up");
    return world;
  };
}

function settle(machine: Machine, prefix: string, recorder: Recorder): World {
  const owns = async (): Promise<{ held?: boolean; token?: string }> => {
    const { stdout } = await machine.run("vipctl", "who-owns", "web", "--confirm", "--json");
    return stdout === "" ? {} : (JSON.parse(stdout) as { token?: string });
  };
  const log = (): Promise<string> => machine.must("journalctl", "-u", "vipd", "-o", "cat", "--no-pager");
  const world: World = {
    machine,
    prefix,
    log,
    token: async () => (await owns()).token ?? "",
    pid: async () => (await machine.must("systemctl", "show", "-P", "MainPID", "vipd")).trim(),
    replaced: async (pid) => {
      await expect.poll(() => world.pid(), { timeout: 20_000 }).not.toMatch(new RegExp(`^(?:${pid}|0)$`, "u"));
    },
    status: () => machine.must("vipctl", "status", "--json"),
    holds: async () => {
      const from = bootTimeMs();
      await expect.poll(async () => (await machine.run("vipctl", "who-owns", "web")).code, { timeout: 20_000 }).toBe(0);
      await recorder.answered(VIP, (host) => host === "a", from);
    },
    stays: async (work) => {
      await world.holds();
      const [pid, token, from] = [await world.pid(), await world.token(), bootTimeMs()];
      await work();
      await world.replaced(pid);
      await world.holds();
      // Two leases on, the VIP has not been lost either.
      await new Promise((resolve) => setTimeout(resolve, 6_000));
      expect(await world.token()).toBe(token);
      expect(recorder.gapMs(VIP, from)).toBeLessThan(SHORT_MS);
    },
  };
  return world;
}

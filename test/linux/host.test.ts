// The whole host: by whom it can be opened, and what it says when it cannot.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createLinuxHost } from "../../adapters/linux/index.ts";
import { clock, VIPS } from "./fence-helpers.ts";
import { useWire } from "./namespaces.ts";
import { Script } from "./process.ts";

const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
const USER_NAMESPACE = ["unshare", "-Urnm"];
const userNamespaces = spawnSync("setpriv", [...NOBODY.slice(1), ...USER_NAMESPACE, "true"]).status === 0;

const DONE = {
  kind: "netdev",
  bound: ["10.88.0.100", "2001:db8:88::100"],
  closed: [false, false],
  opened: "open",
  open: [true, true],
  answers: [],
};

/** The line that the script tells. */
async function told(before: readonly string[], ...args: readonly string[]): Promise<unknown> {
  const script = new Script(before, "host-script.ts", ...args);
  const line = await script.line();
  await script.end();
  return line;
}

describe("a host", () => {
  const wire = useWire();
  const inside = (...command: readonly string[]): string[] => ["ip", "netns", "exec", wire().host.name, ...command];

  it("opens for a plain user in a user namespace of its own", async ({ skip }) => {
    skip(!userNamespaces, "this machine does not let plain users make user namespaces");
    expect(await told([...NOBODY, ...USER_NAMESPACE], "cable")).toEqual(DONE);
  });

  it("opens for a plain user with CAP_NET_ADMIN and CAP_NET_RAW", async () => {
    const capable = [...NOBODY, "--inh-caps", "+net_admin,+net_raw", "--ambient-caps", "+net_admin,+net_raw"];
    expect(await told(inside(...capable))).toEqual(DONE);
  });

  it("without privilege names the capability, the call and the errno", async () => {
    expect(await told(inside(...NOBODY))).toMatchObject({
      code: "privilege",
      errno: 1,
      name: "EPERM",
      capability: "CAP_NET_ADMIN",
    });
  });

  it("with CAP_NET_ADMIN alone names the other capability", async () => {
    const half = [...NOBODY, "--inh-caps", "+net_admin", "--ambient-caps", "+net_admin"];
    expect(await told(inside(...half))).toMatchObject({
      code: "privilege",
      call: "socket",
      name: "EPERM",
      capability: "CAP_NET_RAW",
    });
  });

  it("is not needed to ask the wire, only CAP_NET_RAW is", async () => {
    expect(await told(inside(...NOBODY), "probe")).toMatchObject({
      code: "privilege",
      call: "socket",
      capability: "CAP_NET_RAW",
    });
    const able = [...NOBODY, "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"];
    expect(await told(inside(...able), "probe")).toEqual([]);
  });

  it("that finds the fence taken leaves no socket open and says what has it", () => {
    const first = wire().host.inside(() => createLinuxHost());
    wire().onClose(() => first.close());
    first.fence.protect(VIPS);
    const sockets = (): number => wire().host.inside(() => openSockets());
    const before = sockets();
    for (let i = 0; i < 5; i++) {
      expect(() => wire().host.inside(() => createLinuxHost())).toThrow(
        /another vipd already runs in this network namespace/u,
      );
    }
    expect(sockets()).toBe(before);
    const second = wire().host.inside(() => createLinuxHost({ table: "other" }));
    second.close();
    second.close();
    expect(sockets()).toBe(before);
  });

  it("tells what its fence does not cover", () => {
    for (const fence of ["netdev", "inet"] as const) {
      const host = wire().host.inside(() => createLinuxHost({ fence, table: fence }));
      wire().onClose(() => host.close());
      expect(host.fence.info).toMatchObject({ kind: fence, flushProof: true });
      expect(host.fence.info.caveats.length).toBeGreaterThan(1);
    }
  });

  it("with the inet fence announces only what the fence has open", () => {
    const host = wire().host.inside(() => createLinuxHost({ fence: "inet" }));
    wire().onClose(() => host.close());
    host.fence.protect(VIPS);
    expect(VIPS.map((vip) => host.packets.announce(vip))).toEqual([false, false]);
    expect(host.fence.open(VIPS, 1, clock.now())).toEqual({ kind: "too-late" });
  });
});

/** How many netlink and packet sockets there are in the namespace of this thread. */
function openSockets(): number {
  const tables = ["netlink", "packet"].map((name) => readFileSync(`/proc/thread-self/net/${name}`, "utf8"));
  return tables.join("").split("\n").length;
}

// A process of its own that holds addresses: run by `Holder`, it takes one command a line and answers with one line.
// It can be stopped and killed as a daemon can, and does nothing that was not asked.

import { createInterface } from "node:readline";
import { createLinuxHost } from "../../adapters/linux/index.ts";
import { later } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import { isVipdError, messageOf } from "../../src/base/errors.ts";

const [mode, vips = "[]"] = process.argv.slice(2);
const addresses = JSON.parse(vips) as VipAddress[];

function open() {
  const host = createLinuxHost({ fence: mode === "inet" ? "inet" : "netdev" });
  host.fence.protect(addresses);
  return host;
}

type Host = ReturnType<typeof open>;

/** Binds, and opens for so many milliseconds. */
function hold({ clock, addresses: table, fence }: Host, ms: number): unknown {
  table.bind(addresses, 60_000);
  const until = later(clock.now(), ms);
  return { ...fence.open(addresses, 1, until), until };
}

function answer(host: Host, command: string): unknown {
  const [verb, ms = "0"] = command.split(" ");
  if (verb === "hold") return hold(host, Number(ms));
  if (verb === "open") return host.fence.openAddresses();
  throw new Error(`no such command: ${command}`);
}

try {
  const host = open();
  process.stdout.write(`${JSON.stringify(host.fence.info)}\n`);
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(answer(host, line))}\n`);
  }
  host.close();
} catch (error) {
  process.stdout.write(`${JSON.stringify({ error: messageOf(error), code: isVipdError(error) ? error.code : "" })}\n`);
  process.exitCode = 1;
}

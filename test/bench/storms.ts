// What it costs a holder that other links of its host come and go.

import { readFileSync } from "node:fs";
import { VIP } from "../hosts/harness/fleet.ts";
import type { Station } from "../hosts/harness/lan.ts";
import { pause, Stage } from "./stage.ts";
import type { Row } from "./table.ts";

const MACVLANS = 60;
const CONTAINERS = 40;
const BAR_MS = 1_000;

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** Many commands of ip(8) in one process. */
function batch({ namespace }: Station, lines: readonly string[]): void {
  namespace.exec("sh", "-c", `printf '%s\\n' "$0" | ip -batch -`, lines.join("\n"));
}

/** Processor time so far, in milliseconds (USER_HZ is 100). */
function usedMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** Sixty macvlans on another card that loses its carrier, and forty containers that start and end at once; ttl 3 s. */
export async function storms(): Promise<readonly Row[]> {
  const stage = new Stage(["a", "b"]);
  try {
    await stage.start({ ttl: "3s" });
    const holder = await stage.holder();
    const { host } = holder;
    batch(host, ["link add c0 type veth peer name c1", "link set c0 up", "link set c1 up"]);
    batch(
      host,
      numbers(MACVLANS).flatMap((i) => [`link add link c0 name m${i} type macvlan mode bridge`, `link set m${i} up`]),
    );
    await pause(3_000);
    stage.recorder.forget();
    const carrier = await cost(holder.pid, async () => {
      host.namespace.exec("ip", "link", "set", "c1", "down");
      await pause(1_000);
      host.namespace.exec("ip", "link", "set", "c1", "up");
    });
    const containers = await cost(holder.pid, async () => {
      const start = (i: number): readonly string[] => [
        `link add v${i} type veth peer name w${i}`,
        ...[`v${i}`, `w${i}`].map((name) => `link set ${name} up`),
      ];
      batch(host, numbers(CONTAINERS).flatMap(start));
      await pause(1_000);
      batch(
        host,
        numbers(CONTAINERS).map((i) => `link delete v${i}`),
      );
    });
    const stays = stage.recorder.hands(VIP).join() === host.name;
    return [
      row(`${MACVLANS} macvlans lose their carrier for a second`, carrier, stays),
      row(`${CONTAINERS} containers start and end`, containers, stays),
    ];
  } finally {
    await stage.close();
  }
}

/** Processor time of the daemon from before `run` until four seconds after it. */
async function cost(pid: number, run: () => Promise<void>): Promise<number> {
  const before = usedMs(pid);
  await run();
  await pause(4_000);
  return usedMs(pid) - before;
}

function row(what: string, ms: number, stays: boolean): Row {
  return {
    what: `${what}: processor time of the holder`,
    value: `${ms} ms, the VIP ${stays ? "stayed" : "MOVED"}`,
    against: `bar ${BAR_MS} ms, and the VIP stays`,
    met: stays && ms < BAR_MS,
  };
}

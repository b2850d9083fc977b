// Other links of a host: containers that come and go, a card with many macvlans that loses its carrier.

import { expect, test } from "vitest";
import { VIP } from "./harness/fleet.ts";
import type { Station } from "./harness/lan.ts";
import { useFleet } from "./harness/use-fleet.ts";

const bench = useFleet(["a", "b"]);

const MACVLANS = 60;
const CONTAINERS = 40;

/** Many commands of ip(8) in one process. */
function batch({ namespace }: Station, lines: readonly string[]): void {
  namespace.exec("sh", "-c", `printf '%s\\n' "$0" | ip -batch -`, lines.join("\n"));
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** The holder answers still, and nobody else has. */
async function stays(from: number): Promise<void> {
  const { recorder, now } = bench();
  await recorder.answered(VIP, (name) => name === "a", now());
  expect(recorder.hands(VIP, from)).toEqual(["a"]);
}

test("a VIP outlasts sixty macvlans on another card that loses its carrier, and is fenced on each of them", async () => {
  const { now, idle } = bench();
  const host = bench().host("a");
  batch(host, ["link add c0 type veth peer name c1", "link set c0 up", "link set c1 up"]);
  batch(
    host,
    numbers(MACVLANS).flatMap((i) => [`link add link c0 name m${i} type macvlan mode bridge`, `link set m${i} up`]),
  );
  const [a] = await bench().startAll({ ttl: "3s" });
  const from = now();
  host.namespace.exec("ip", "link", "set", "c1", "down");
  await idle(1_000);
  host.namespace.exec("ip", "link", "set", "c1", "up");
  await idle(3_500);
  await stays(from);
  expect(a?.log()).not.toContain("lease-expired");
  const fenced = new Set(host.namespace.exec("nft", "list", "ruleset").match(/(?<=device ")m\d+(?=")/gu));
  expect(fenced.size).toBe(MACVLANS);
});

test("a VIP outlasts forty containers that are started and ended at once", async () => {
  const { now, idle } = bench();
  const host = bench().host("a");
  const [a] = await bench().startAll({ ttl: "3s" });
  const from = now();
  batch(
    host,
    numbers(CONTAINERS).flatMap((i) => [
      `link add v${i} type veth peer name w${i}`,
      `link set v${i} up`,
      `link set w${i} up`,
    ]),
  );
  await idle(1_500);
  batch(
    host,
    numbers(CONTAINERS).map((i) => `link delete v${i}`),
  );
  await idle(3_000);
  await stays(from);
  expect(a?.log()).not.toContain("lease-expired");
});

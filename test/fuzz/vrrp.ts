// Ten million mutated adverts (or so many as the first argument says), in rounds with seeds of their own, each printed when it
// fails: `node test/fuzz/vrrp.ts [count] [first seed]`.

import { argv, stdout } from "node:process";
import { seededRandom } from "../../src/base/random.ts";
import { fuzzVrrp } from "../unit/wire/vrrp-mutants.ts";

const ROUND = 100_000;
const count = Number(argv[2] ?? 10_000_000);
const firstSeed = Number(argv[3] ?? 1);
const began = performance.now();
const faults = new Map<string, number>();
let accepted = 0;

for (let done = 0; done < count; done += ROUND) {
  const seed = firstSeed + done / ROUND;
  try {
    const tally = fuzzVrrp(seededRandom(seed), Math.min(ROUND, count - done));
    accepted += tally.accepted;
    for (const [reason, times] of tally.faults) faults.set(reason, (faults.get(reason) ?? 0) + times);
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
}

const seconds = ((performance.now() - began) / 1000).toFixed(1);
stdout.write(`${count} mutants in ${seconds} s: ${accepted} accepted\n`);
for (const [reason, times] of [...faults].sort(([, a], [, b]) => b - a)) stdout.write(`  ${reason} ${times}\n`);

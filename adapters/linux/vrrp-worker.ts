// The thread that sends adverts. It waits on shared memory and not in an event loop, so that nothing but its own work can
// delay it. Started by vrrp-sender.ts.

import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { assert } from "../../src/base/assert.ts";
import { bootClock } from "./clock.ts";
import { closeFd, sendTo } from "./native.ts";
import type { Command } from "./vrrp-channel.ts";
import { SharedTimes } from "./vrrp-channel.ts";
import { Voices } from "./vrrp-voices.ts";

/** It looks after itself this often, whatever was forgotten, in milliseconds. */
const LONGEST_SLEEP_MS = 1_000;

function run(): void {
  assert(parentPort !== null, "this file is run as a worker thread");
  const port = parentPort;
  const clock = bootClock();
  const times = new SharedTimes(workerData as SharedArrayBuffer);
  const voices = new Voices({
    clock,
    times,
    send: sendTo,
    closeSocket: closeFd,
    tell: (news) => port.postMessage(news),
  });
  for (;;) {
    const wakes = times.wakes();
    const dueAt = voices.turn(() => receiveMessageOnPort(port)?.message as Command | undefined);
    if (dueAt === null) return;
    times.sleep(wakes, Math.min(LONGEST_SLEEP_MS, Math.max(0, dueAt - clock.now())));
  }
}

run();

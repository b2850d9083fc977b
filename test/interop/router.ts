// One virtual router as a program, without fence, store and checks: the machine of src/vrrp with the real sockets, holding
// its addresses by netlink. It prints each effect as a line of JSON, and takes events as lines of JSON. Run by `parties.ts`.

import process from "node:process";
import { createInterface } from "node:readline";
import { KernelAddresses } from "../../adapters/linux/addresses.ts";
import { bootClock } from "../../adapters/linux/clock.ts";
import { KernelPackets } from "../../adapters/linux/packets.ts";
import { openReceiver } from "../../adapters/linux/vrrp-receiver.ts";
import { createAdvertSender } from "../../adapters/linux/vrrp-sender.ts";
import type { Instant } from "../../src/base/time.ts";
import type { VipAddress } from "../../src/base/vip.ts";
import type { VrrpAuthentication, VrrpReceived } from "../../src/base/vrrp.ts";
import { wireQuestions } from "../../src/node/wire-question.ts";
import { Driver } from "../../src/runtime/driver.ts";
import { systemTimers } from "../../src/runtime/timers.ts";
import { nextVrrpWakeup, stepVrrp } from "../../src/vrrp/machine.ts";
import { type VrrpRouter, vrrpRouter } from "../../src/vrrp/router.ts";
import { initialVrrp, type VrrpEffect, type VrrpEvent, type VrrpState } from "../../src/vrrp/state.ts";
import { formatIp } from "../../src/wire/ip.ts";
import { decodeReceived } from "../../src/wire/vrrp.ts";
import { authenticate, type ReplayMarks } from "../../src/wire/vrrp-auth.ts";
import { hmac } from "../unit/wire/vrrp-samples.ts";

/** What the program is started with, as JSON. */
export interface RouterOptions {
  readonly router: Pick<VrrpRouter, "vrid" | "addresses" | "source"> & Partial<VrrpRouter>;
  readonly authentication: VrrpAuthentication;
  readonly prefix: number;
}

const LINK = "eth0";
const ALIVE_EVERY_MS = 50;

const { router: given, authentication, prefix } = JSON.parse(process.argv[2] ?? "") as RouterOptions;
const router = vrrpRouter(given);
const family = router.source.includes(":") ? 6 : 4;
const held = router.addresses.map((ip): VipAddress => ({ family, ip, prefix, interface: LINK }));
const clock = bootClock();
const addresses = new KernelAddresses();
const packets = new KernelPackets({ clock });
const askIfSilent = wireQuestions(packets);
const sender = createAdvertSender({ clock });
const { source, reach } = router;
const voice = sender.voice(
  { interface: LINK, source, reach, authentication, checksum: "pseudo-header" },
  {
    sent: (at) => driver.post({ type: "sent", at }),
    failed: (message) => driver.post({ type: "send-failed", message }),
    silenced: () => driver.post({ type: "silenced" }),
  },
);
const unicast = reach.kind === "unicast" ? source : null;
const receiver = openReceiver({ interface: LINK, family, unicast }, hear);
let state: VrrpState = initialVrrp(router, clock.now());
const driver: Driver<VrrpEvent, VrrpEffect> = new Driver<VrrpEvent, VrrpEffect>(
  { step, nextWakeup: () => nextVrrpWakeup(state), tick: { type: "tick" } },
  { timers: systemTimers(clock), perform },
);
let replays: ReplayMarks = new Map();

function step(event: VrrpEvent, now: Instant): readonly VrrpEffect[] {
  const [next, effects] = stepVrrp(state, event, now);
  state = next;
  return effects;
}

function hear(received: VrrpReceived): void {
  const { from, ...result } = decodeReceived(received);
  const sender = from === undefined ? "" : formatIp(from.source);
  if (result.kind === "rejected") return driver.post({ type: "refused", fault: result.fault, source: sender });
  const { message } = result;
  if (message.vrid !== router.vrid || from === undefined) return;
  const verdict = authenticate(message, from.source, authentication, { hmac, wallMs: clock.wallMs(), replays });
  if (verdict.kind === "rejected") return driver.post({ type: "refused", fault: verdict.fault, source: sender });
  ({ replays } = verdict);
  driver.post({ type: "advert", advert: message, source: sender, multicast: unicast === null });
}

function perform(effect: VrrpEffect): void {
  if (effect.type !== "drain" && effect.type !== "extend")
    process.stdout.write(`${JSON.stringify({ at: clock.now(), ...effect })}\n`);
  switch (effect.type) {
    case "speak":
      return voice.speak(effect.advert, 2 * effect.advert.intervalMs);
    case "hush":
      return voice.hush();
    case "say":
      return voice.say(effect.advert);
    case "gain":
      for (const { message } of addresses.bind(held, 3_600_000)) throw new Error(message);
      return;
    case "lose":
      addresses.unbind(held);
      return driver.post({ type: "released" });
    case "ask":
      return askIfSilent(held, (isSilent) => driver.post({ type: "answered", askedAt: effect.askedAt, isSilent }));
    case "drain":
      receiver.drain();
      return driver.post({ type: "drained" });
    case "stopped":
      return end();
    default:
      return;
  }
}

const alive = setInterval(() => {
  driver.post({ type: "tick" });
  sender.alive();
}, ALIVE_EVERY_MS);
const input = createInterface({ input: process.stdin });
input.on("line", (line) => driver.post(JSON.parse(line) as VrrpEvent));

function end(): void {
  clearInterval(alive);
  input.close();
  process.stdin.destroy();
  driver.close();
  receiver.close();
  addresses.close();
  packets.close();
  sender.close().catch((error: unknown) => {
    throw error;
  });
}

driver.post({ type: "tick" });

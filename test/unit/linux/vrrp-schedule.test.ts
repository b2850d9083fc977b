// When the sending thread sends which advert: its schedule alone, in virtual time, without the thread and the kernel.

import { describe, expect, it } from "vitest";
import { kernelError } from "../../../adapters/linux/errors.ts";
import { SharedTimes } from "../../../adapters/linux/vrrp-channel.ts";
import type { Command, News } from "../../../adapters/linux/vrrp-channel.ts";
import { Voices } from "../../../adapters/linux/vrrp-voices.ts";
import { type Instant, instant, later } from "../../../src/base/time.ts";
import { NO_AUTHENTICATION, type VrrpAdvert } from "../../../src/base/vrrp.ts";
import { decodeVrrpPacket } from "../../../src/wire/vrrp.ts";

function advert(given: Partial<VrrpAdvert> = {}): VrrpAdvert {
  return { version: 3, vrid: 51, priority: 100, intervalMs: 100, addresses: ["10.77.0.50"], ...given };
}

function gaps(times: readonly number[]): readonly number[] {
  return times.slice(1).map((at, i) => at - (times[i] ?? at));
}

/** The first byte of the target of whole frames. */
const FRAME = 0xff;

/** What the schedule sends when, and to whom. */
class Rehearsal {
  now: Instant = instant(50_000);
  readonly times = new SharedTimes();
  readonly sends: { readonly at: number; readonly priority: number; readonly to: string }[] = [];
  readonly news: News[] = [];
  /** Why a send to a target fails, by its first byte; that of a frame by the first byte of its source. */
  readonly refusals = new Map<number, Error>();
  private readonly voices: Voices;

  constructor() {
    this.times.alive = this.now;
    this.voices = new Voices({
      clock: { now: () => this.now, wallMs: () => 1_800_000_000_000 + this.now },
      times: this.times,
      send: (_, packet, target) => this.send(packet, target),
      closeSocket: () => {},
      tell: (news) => this.news.push(...news),
    });
  }

  obey(...commands: readonly Command[]): this {
    for (const command of commands) this.voices.obey(command);
    return this;
  }

  /** A voice with so many peers. */
  open(id: number, peers = 1): this {
    const destinations = Array.from({ length: peers }, (_, i) => ({
      address: Uint8Array.of(10, 77, 0, i + 1),
      target: Uint8Array.of(i),
    }));
    const source = Uint8Array.of(10, 77, 0, 99);
    const settings = { id, slot: id, fd: 3, source, destinations, checksum: "pseudo-header" } as const;
    return this.obey({ kind: "open", settings: { ...settings, authentication: NO_AUTHENTICATION } });
  }

  /** A voice that sends whole frames, with these first bytes of their sources to choose from. */
  openFrames(id: number, sources: readonly number[]): this {
    const [address, source] = [Uint8Array.of(224, 0, 0, 18), Uint8Array.of(10, 77, 0, 99)];
    const headers = sources.map((first) => Uint8Array.of(1, 0, 0x5e, 0, 0, 18, first, 0, 0, 0, 0, 1, 8, 0));
    const destinations = [{ address, target: Uint8Array.of(FRAME) }];
    const settings = { id, slot: id, fd: 3, source, destinations, headers, checksum: "pseudo-header" } as const;
    return this.obey({ kind: "open", settings: { ...settings, authentication: NO_AUTHENTICATION } });
  }

  /** Wakes up when the schedule wants it, for so long; `alive`: the program gives signs of life. */
  run(ms: number, alive = true): this {
    const end = later(this.now, ms);
    for (let rounds = 0; rounds < 100_000; rounds += 1) {
      if (alive) this.times.alive = this.now;
      const dueAt = this.voices.run(this.times.alive);
      if (dueAt > end) break;
      this.now = dueAt;
    }
    this.now = end;
    return this;
  }

  private send(bytes: Uint8Array, target: Uint8Array): void {
    const isFrame = target[0] === FRAME;
    const refusal = this.refusals.get(isFrame ? (bytes[6] ?? 0) : (target[0] ?? 0));
    if (refusal !== undefined) throw refusal;
    const packet = isFrame ? bytes.subarray(14) : bytes;
    const result = decodeVrrpPacket(packet);
    const priority = result.kind === "message" ? result.message.priority : -1;
    this.sends.push({ at: this.now, priority, to: [...(result.from?.destination ?? [])].join(".") });
  }
}

const speak = (id: number, intervalMs: number, graceMs = 10_000): Command => ({
  kind: "speak",
  id,
  advert: advert({ intervalMs }),
  graceMs,
});

describe("the schedule", () => {
  it("sends at once, then at multiples of the interval, never further apart", () => {
    const rehearsal = new Rehearsal().open(1).obey(speak(1, 1_000)).run(10_000);
    const times = rehearsal.sends.map(({ at }) => at);
    expect(times.slice(0, 3)).toEqual([50_000, 50_062.5, 51_062.5]);
    expect(Math.max(...gaps(times))).toBe(1_000);
  });

  it("wakes 255 voices of one interval in 16 bursts", () => {
    const rehearsal = new Rehearsal();
    for (let id = 1; id <= 255; id += 1) rehearsal.open(id).obey(speak(id, 1_000));
    rehearsal.run(5_000);
    const later = rehearsal.sends.map(({ at }) => at).filter((at) => at >= 52_000 && at < 53_000);
    expect(later).toHaveLength(255);
    expect(new Set(later).size).toBe(16);
  });

  it("makes up for nothing: after a pause one advert goes, and the next ones come when they would have", () => {
    const rehearsal = new Rehearsal().open(16).obey(speak(16, 100)).run(1_000);
    rehearsal.now = later(rehearsal.now, 3_450);
    const count = rehearsal.sends.length;
    rehearsal.run(300);
    expect(rehearsal.sends.slice(count).map(({ at }) => at)).toEqual([54_450, 54_500, 54_600, 54_700]);
  });

  it("is silent from the moment at which the last sign of life is too old, and reports that once", () => {
    const rehearsal = new Rehearsal()
      .open(1)
      .obey(speak(1, 100, 250))
      .run(1_000);
    const stuckAt = rehearsal.times.alive;
    rehearsal.run(2_000, false);
    expect(Math.max(...rehearsal.sends.map(({ at }) => at))).toBeLessThanOrEqual(stuckAt + 250);
    expect(rehearsal.news.filter(({ kind }) => kind === "silenced")).toHaveLength(1);
    const count = rehearsal.sends.length;
    expect(rehearsal.run(1_000).sends).toHaveLength(count);
  });

  it("is silent after a pause of the whole process longer than the grace: the first thing is to look at the clock", () => {
    const rehearsal = new Rehearsal()
      .open(1)
      .obey(speak(1, 100, 250))
      .run(1_000);
    const count = rehearsal.sends.length;
    rehearsal.now = later(rehearsal.now, 5_000);
    rehearsal.run(1_000, false);
    expect(rehearsal.sends).toHaveLength(count);
  });

  it("counts an advert as sent when it left to all peers", () => {
    const rehearsal = new Rehearsal().open(1, 3);
    rehearsal.refusals.set(1, kernelError("sendto", 105));
    rehearsal.obey(speak(1, 100)).run(0);
    expect(rehearsal.sends.map(({ to }) => to)).toEqual(["10.77.0.1", "10.77.0.3"]);
    expect(rehearsal.news).toMatchObject([{ kind: "failed", id: 1, message: expect.stringContaining("ENOBUFS") }]);
    expect(rehearsal.times.lastSent(1)).toBe(0);
  });

  it("does not count peers that this host has no way to, unless they are all", () => {
    const rehearsal = new Rehearsal().open(1, 2);
    rehearsal.refusals.set(1, kernelError("sendto", 113));
    rehearsal.obey(speak(1, 100)).run(0);
    expect(rehearsal.news.map(({ kind }) => kind)).toEqual(["failed", "sent"]);
    rehearsal.refusals.set(0, kernelError("sendto", 101));
    rehearsal.run(100);
    expect(rehearsal.news.map(({ kind }) => kind)).toEqual(["failed", "sent", "failed"]);
  });

  it("tells of a farewell that did not leave, and never that one was sent", () => {
    const rehearsal = new Rehearsal().open(1);
    rehearsal.obey({ kind: "say", id: 1, advert: advert({ priority: 0 }) }).run(0);
    expect([rehearsal.sends.map(({ priority }) => priority), rehearsal.news]).toEqual([[0], []]);
    rehearsal.refusals.set(0, kernelError("sendto", 100));
    rehearsal.obey({ kind: "say", id: 1, advert: advert({ priority: 0 }) }).run(0);
    expect(rehearsal.news.map(({ kind }) => kind)).toEqual(["failed"]);
  });

  it("sends a frame that the fence keeps in with the next source MAC, and one that fails otherwise not at all", () => {
    const rehearsal = new Rehearsal().openFrames(1, [0x00, 0x02]);
    rehearsal.refusals.set(0x00, kernelError("sendto", 105));
    rehearsal.obey({ kind: "say", id: 1, advert: advert({ priority: 0 }) }, speak(1, 100)).run(0);
    expect(rehearsal.sends.map(({ priority }) => priority)).toEqual([0, 100]);
    expect(rehearsal.news.map(({ kind }) => kind)).toEqual(["sent"]);
    rehearsal.refusals.set(0x02, kernelError("sendto", 105));
    rehearsal.run(100);
    rehearsal.refusals.set(0x00, kernelError("sendto", 100)).delete(0x02);
    rehearsal.run(100);
    expect(rehearsal.news.map(({ kind }) => kind)).toEqual(["sent", "failed", "failed"]);
  });

  it("takes the new advert at once, and forgets a voice that is closed", () => {
    const rehearsal = new Rehearsal().open(1).obey(speak(1, 1_000)).run(100);
    rehearsal.obey({ ...speak(1, 1_000), advert: advert({ priority: 7 }) } as Command).run(0);
    expect(rehearsal.sends.at(-1)?.priority).toBe(7);
    const count = rehearsal.sends.length;
    rehearsal.obey({ kind: "close", id: 1 }, speak(1, 100)).run(5_000);
    expect(rehearsal.sends).toHaveLength(count);
  });
});

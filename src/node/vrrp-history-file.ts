// The changes that this node saw of VRRP's masters, kept in the state directory over restarts of the daemon. They are for people,
// and for tokens that grow: so nothing waits for the disk. Changes are written together, at most once in a while, in the
// background, and not synced; a disk that is full or broken costs what a restart would have shown, and is told once.

import { join } from "node:path";
import * as z from "zod";
import { HISTORY_LENGTH, MAX_VIPS } from "../base/bounds.ts";
import { messageOf } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import { MAX_REASON_LENGTH } from "../base/reasons.ts";
import { clip } from "../base/text.ts";
import { type Instant, later, LONG_AGO } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";
import { readStateFile, saveStateFile } from "../runtime/state-file.ts";
import { type Sighting, VrrpHistory } from "./vrrp-history.ts";

/** The file is written at most so often, in milliseconds. */
const WRITE_EVERY_MS = 5_000;

/** How long the last write may take, in milliseconds. */
const LAST_WRITE_MS = 1_000;

/** Most changes in the file, of all VIPs together, the newest; and its longest size in bytes, which they cannot reach. */
const MAX_KEPT = 4_096;
const MAX_BYTES = 8 * 1024 * 1024;

/** Longest name of a VIP, of a node, or of an address. */
const MAX_NAME_LENGTH = 255;

/** The end of the year 9999, in milliseconds since 1970. */
const LAST_WALL_MS = 253_402_300_799_999;

/** A token has fewer digits than this for some hundred million years. */
const MAX_TOKEN_DIGITS = 18;

const name = z.string().min(1).max(MAX_NAME_LENGTH);
const change = z.object({
  atWallMs: z.number().nonnegative().max(LAST_WALL_MS),
  from: name.nullable(),
  to: name.nullable(),
  token: z.string().regex(new RegExp(`^\\d{1,${MAX_TOKEN_DIGITS}}$`, "u")),
  reason: z.object({ code: z.string().max(64), text: z.string().max(MAX_REASON_LENGTH) }),
});
const schema = z.object({
  vips: z.array(z.object({ name, changes: z.array(change).max(HISTORY_LENGTH) })).max(MAX_VIPS),
});

/** Where the histories of VIPs come from, and where they are kept. */
export interface HistoryKeeper {
  /** The history of a VIP, with what was kept of it. */
  of(vip: string): VrrpHistory;
  /** Some history has changed. */
  changed(): void;
  /** Writes what is not written yet. Resolves after a while in any case. */
  close(): Promise<void>;
}

/** What keeping takes. */
export interface HistoryKeeperDeps {
  readonly timers: Timers;
  /** Told when what is there cannot be understood, and when it can no longer be written. */
  readonly onTrouble: (message: string) => void;
  /** For tests; in the background, or rejects. */
  readonly save?: (path: string, text: string) => Promise<void>;
}

/** Histories kept in a state directory. */
export function openHistories(stateDir: string, deps: HistoryKeeperDeps): HistoryKeeper {
  return new HistoryFile(join(stateDir, "vrrp-history.json"), deps);
}

class HistoryFile implements HistoryKeeper {
  private readonly path: string;
  private readonly deps: HistoryKeeperDeps;
  private readonly histories: Map<string, VrrpHistory>;
  private isWritten = true;
  private isFailing = false;
  private nextAt: Instant = LONG_AGO;
  private writing: Promise<void> | null = null;
  private cancelWrite: (() => void) | null = null;

  constructor(path: string, deps: HistoryKeeperDeps) {
    this.path = path;
    this.deps = deps;
    this.histories = read(path, deps.onTrouble);
  }

  of(vip: string): VrrpHistory {
    const known = this.histories.get(vip);
    if (known !== undefined) return known;
    const history = new VrrpHistory();
    this.histories.set(vip, history);
    return history;
  }

  changed(): void {
    this.isWritten = false;
    const { timers } = this.deps;
    if (this.cancelWrite !== null || this.writing !== null) return;
    const at = this.nextAt > timers.now() ? this.nextAt : timers.now();
    this.cancelWrite = timers.at(at, () => this.begin());
  }

  /** A disk that does not answer keeps nobody. */
  close(): Promise<void> {
    this.cancelWrite?.();
    this.cancelWrite = null;
    const { timers } = this.deps;
    return new Promise((resolve) => {
      const cancel = timers.at(later(timers.now(), LAST_WRITE_MS), resolve);
      void this.writeLast().finally(() => {
        cancel();
        resolve();
      });
    });
  }

  private async writeLast(): Promise<void> {
    await this.writing;
    if (!this.isWritten) await this.write();
  }

  private begin(): void {
    this.cancelWrite = null;
    this.nextAt = later(this.deps.timers.now(), WRITE_EVERY_MS);
    this.writing = this.write();
    void this.writing.finally(() => {
      this.writing = null;
      if (!this.isWritten && !this.isFailing) this.changed();
    });
  }

  /** Never rejects. What failed is tried again with the next change. */
  private async write(): Promise<void> {
    this.isWritten = true;
    try {
      await (this.deps.save ?? saveStateFile)(this.path, encode(this.histories));
      this.isFailing = false;
    } catch (error) {
      this.isWritten = false;
      if (!this.isFailing) this.deps.onTrouble(this.lost(messageOf(error)));
      this.isFailing = true;
    }
  }

  private lost(why: string): string {
    return `${this.path} cannot be written (${why}): vipctl history will not show after a restart what VRRP does now`;
  }
}

function encode(histories: ReadonlyMap<string, VrrpHistory>): string {
  const newest = [...histories.values()].flatMap(({ all }) => all).toSorted((a, b) => b.atWallMs - a.atWallMs);
  const kept = new Set(newest.slice(0, MAX_KEPT));
  const vips = [...histories].flatMap(([vip, { all }]) => {
    const changes = all.filter((each) => kept.has(each)).map(keptOf);
    return changes.length === 0 ? [] : [{ name: vip, changes }];
  });
  return `${JSON.stringify({ vips })}\n`;
}

function keptOf({ reason, token, ...others }: Sighting): z.infer<typeof change> {
  return { ...others, token: String(token), reason: { ...reason, text: clip(reason.text, MAX_REASON_LENGTH) } };
}

/** What is there, or nothing. */
function read(path: string, onTrouble: (message: string) => void): Map<string, VrrpHistory> {
  try {
    const result = schema.safeParse(parseJson(readStateFile(path, MAX_BYTES)));
    if (result.success)
      return new Map(result.data.vips.map(({ name: vip, changes }) => [vip, new VrrpHistory(changes.map(sightingOf))]));
    onTrouble(`${path} cannot be understood: the history of VRRP begins anew`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      onTrouble(`${path} cannot be read (${messageOf(error)}): the history of VRRP begins anew`);
  }
  return new Map();
}

function sightingOf(kept: z.infer<typeof change>): Sighting {
  return { ...kept, token: BigInt(kept.token) };
}

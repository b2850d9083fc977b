// The real servers of this host for one change: under the lock of the state directory, with what is kept there.

import { lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { messageOf, VipdError } from "../base/errors.ts";
import { later } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";
import type { RealServerKernel, RealServers } from "../ports/real-server.ts";
import { type FileOwner, readStateFile, removeStateFile, writeStateFile } from "../runtime/state-file.ts";
import { type RecordKeeper, realServers } from "./keeper.ts";
import { type Here, isNothing, type Kept, MAX_RECORD_BYTES, keptIn, readKept, withKept } from "./record.ts";

/** A change takes milliseconds: who waits longer for another one's is told so. In milliseconds. */
const LOCK_MS = 3_000;

/** How often the lock is asked for meanwhile, in milliseconds. */
const ASK_EVERY_MS = 20;

/** What opening needs. */
export interface OpenDeps {
  readonly timers: Timers;
  readonly here: Here;
  /** The user that this process runs as. */
  readonly uid: number;
  /** Takes the lock of a directory that the kernel frees with the process; "busy": another process has it. */
  readonly lockDirectory: (path: string) => { release(): void } | "busy";
  readonly openKernel: () => RealServerKernel;
}

/**
 * Opens them for a change; nobody else changes them until they are closed. Throws "state-dir", "privilege", "kernel",
 * "aborted", and "already-running" when another process keeps the lock.
 */
export async function openRealServers(stateDir: string, deps: OpenDeps, signal: AbortSignal): Promise<RealServers> {
  const owner = ownerOf(stateDir, deps.uid);
  const lock = await takeLock(stateDir, deps, signal);
  try {
    const kernel = deps.openKernel();
    const close = (): void => {
      kernel.close();
      lock.release();
    };
    try {
      return realServers({
        kernel,
        keeper: new FileKeeper(join(stateDir, "realservers.json"), deps.here, owner),
        close,
      });
    } catch (error) {
      kernel.close();
      throw error;
    }
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Whose files are there: root writes for the daemon's user, too. */
function ownerOf(path: string, uid: number): FileOwner | undefined {
  try {
    mkdirSync(path, { recursive: true, mode: 0o750 });
  } catch (error) {
    const message = `the state directory ${path} cannot be made: ${messageOf(error)}; run as root, or set stateDir`;
    throw new VipdError("state-dir", message, { path }, error);
  }
  const found = lstatSync(path);
  if ((found.mode & 0o022) !== 0)
    throw new VipdError("state-dir", `others may write to the state directory ${path}; chmod 0750`, { path });
  return uid === 0 && found.uid !== 0 ? { uid: found.uid, gid: found.gid } : undefined;
}

async function takeLock(
  stateDir: string,
  { lockDirectory, timers }: OpenDeps,
  signal: AbortSignal,
): Promise<{ release(): void }> {
  const end = later(timers.now(), LOCK_MS);
  for (;;) {
    if (signal.aborted) throw new VipdError("aborted", "interrupted while another process changed the real servers");
    const lock = lockDirectory(stateDir);
    if (lock !== "busy") return lock;
    if (timers.now() >= end) break;
    await new Promise<void>((resolve) => timers.at(later(timers.now(), ASK_EVERY_MS), resolve));
  }
  const message = `another process has changed the real servers of ${stateDir} for ${LOCK_MS / 1_000} s: look for a vipctl that hangs`;
  throw new VipdError("already-running", message, { stateDir });
}

class FileKeeper implements RecordKeeper {
  private readonly path: string;
  private readonly here: Here;
  private readonly owner: FileOwner | undefined;
  private kept: Kept | undefined;
  private text: string;

  constructor(path: string, here: Here, owner: FileOwner | undefined) {
    this.path = path;
    this.here = here;
    this.owner = owner;
    this.text = read(path);
    this.kept = this.text === "" ? undefined : understood(path, this.text);
  }

  get current(): RecordKeeper["current"] {
    return keptIn(this.kept, this.here);
  }

  get down(): readonly string[] {
    return this.kept?.down ?? [];
  }

  keep(current: RecordKeeper["current"], down: readonly string[]): void {
    const next = withKept(this.kept, this.here, current, down);
    const text = isNothing(next) ? "" : `${JSON.stringify(next)}\n`;
    if (text !== this.text) this.write(text);
    this.kept = next;
    this.text = text;
  }

  private write(text: string): void {
    try {
      if (text === "") removeStateFile(this.path);
      else writeStateFile(this.path, text, this.owner);
    } catch (error) {
      const message = `${this.path} cannot be written (${messageOf(error)}): make room, and try again`;
      throw new VipdError("state-dir", message, { path: this.path }, error);
    }
  }
}

function read(path: string): string {
  try {
    // Our own files are never empty: this one is, or it is too long, or no file.
    return readStateFile(path, MAX_RECORD_BYTES) || "not a record";
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    const message = `${path} cannot be read (${messageOf(error)}); run as root, or as the user of vipd`;
    throw new VipdError("state-dir", message, { path }, error);
  }
}

/** What cannot be understood says what the settings were before: nobody but a person may throw that away. */
function understood(path: string, text: string): Kept {
  const kept = readKept(text);
  if (kept !== undefined) return kept;
  const message = `${path} cannot be understood: see what it says of settings before it is removed`;
  throw new VipdError("state-dir", message, { path });
}

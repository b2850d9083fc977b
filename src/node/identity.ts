// The claim on disk. A daemon that starts finds the one of the previous process, and looks at it only when that process is
// surely dead: the kernel has freed its lock. Whether it is taken up is decided in claim.ts.

import { lstatSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseJson } from "../base/json.ts";
import { messageOf, VipdError } from "../base/errors.ts";
import type { Entropy } from "../ports/clock.ts";
import type { IdentityKeeper } from "../ports/identity.ts";
import { readStateFile, writeStateFile } from "../runtime/state-file.ts";
import { type Claim, claimSchema, takeUpClaim } from "./claim.ts";

/** A lock that is held. */
export interface HeldLock {
  /** Tells the lock file from a copy of it. */
  readonly fileId: string;
  release(): void;
}

/** Takes an exclusive lock that the kernel frees when the process dies; "busy": another living process has it. */
export type LockFile = (path: string) => HeldLock | "busy";

/** Where and whose. */
export interface IdentityOptions {
  readonly stateDir: string;
  readonly node: string;
  readonly fleet: string;
}

/** What an identity works with. */
export interface IdentityDeps {
  readonly entropy: Entropy;
  readonly lockFile: LockFile;
  /** Names the boot of the host. */
  readonly bootId: string;
  /** How long the machine has slept since it booted, in milliseconds. */
  readonly sleptMs: () => number;
  /** Names the network namespace of this process as no later one. */
  readonly networkNamespace: string;
  /** The user that this process runs as. */
  readonly uid: number;
  /** The claim could not be written: a restart will wait for the lease to end. */
  readonly onTrouble: (message: string) => void;
}

/** A claim is a few hundred bytes. */
const MAX_CLAIM_BYTES = 16 * 1024;

/** Opens the claim in the state directory, which is made when it is missing. */
export function openIdentity(options: IdentityOptions, deps: IdentityDeps): IdentityKeeper {
  const { stateDir, node, fleet } = options;
  makeDirectory(stateDir);
  checkDirectory(stateDir, deps.uid);
  const lock = deps.lockFile(join(stateDir, "vipd.lock"));
  if (lock === "busy")
    throw new VipdError(
      "already-running",
      `another vipd uses the state directory ${stateDir}; stop it first, or give this one its own stateDir`,
      { stateDir },
    );
  const path = join(stateDir, "incarnation.json");
  const { bootId, networkNamespace, entropy, sleptMs } = deps;
  const keep = (claim: Claim): void => {
    try {
      writeStateFile(path, `${JSON.stringify(claim)}\n`);
    } catch (error) {
      deps.onTrouble(
        `${path} cannot be written (${messageOf(error)}): a restart will not take up the lease, but wait for its end`,
      );
    }
  };
  const origin = { bootId, networkNamespace, lockFile: lock.fileId, node, fleet };
  const uniqueId = (): string => entropy.uniqueId();
  return { ...takeUpClaim(readClaim(path), origin, { uniqueId, sleptMs, keep }), release: () => lock.release() };
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o750 });
  } catch (error) {
    const problem = `cannot make the state directory ${path}: ${messageOf(error)}`;
    const fix = "free its disk, make it writable for vipd, or set stateDir";
    throw new VipdError("state-dir", `${problem}; ${fix}`, { path }, error);
  }
}

/** Who may write to the directory may have this process overwrite files, or believe a claim that is not its own. */
function checkDirectory(path: string, uid: number): void {
  const found = lstatSync(path);
  const refuse = (problem: string, fix: string): never => {
    throw new VipdError("config", `stateDir: ${path} ${problem}; ${fix}`, { path });
  };
  if (!found.isDirectory()) refuse("is not a directory (or is a symbolic link)", "give the directory itself");
  if (found.uid !== uid && found.uid !== 0) refuse(`belongs to user ${found.uid}`, `chown it to user ${uid}`);
  if ((found.mode & 0o022) !== 0)
    refuse(`may be written to by others (mode ${(found.mode & 0o7777).toString(8)})`, "chmod 0750");
}

/** A claim that is missing or does not parse is no claim: the node begins anew and waits for its old lease to end. */
function readClaim(path: string): Claim | undefined {
  try {
    const result = claimSchema.safeParse(parseJson(readStateFile(path, MAX_CLAIM_BYTES)));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

// The incarnation on disk. A daemon that starts finds the one of its predecessor, and takes up its lease, but only
// when the predecessor is surely dead (the kernel has freed its lock) and the host has not booted since.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, VipdError } from "../base/errors.ts";
import type { Entropy } from "../ports/clock.ts";
import type { IdentityKeeper } from "../ports/identity.ts";

/** Takes an exclusive lock that the kernel frees when the process dies; "busy": another living process has it. */
export type LockFile = (path: string) => { release(): void } | "busy";

/** Where and whose. */
export interface IdentityOptions {
  readonly stateDir: string;
  readonly node: string;
  readonly fleet: string;
}

const schema = z.object({
  incarnation: z.string().min(1).max(64),
  bootId: z.string(),
  node: z.string(),
  fleet: z.string(),
});
type Claim = z.infer<typeof schema>;

/** Opens the claim in the state directory, which is made when it is missing. */
export function openIdentity(
  options: IdentityOptions,
  deps: { entropy: Entropy; lockFile: LockFile; bootId: string },
): IdentityKeeper {
  makeDirectory(options.stateDir);
  const lock = deps.lockFile(join(options.stateDir, "vipd.lock"));
  if (lock === "busy")
    throw new VipdError(
      "already-running",
      `another vipd lives with the state directory ${options.stateDir}; stop it first, or give this one its own stateDir`,
      { stateDir: options.stateDir },
    );
  const path = join(options.stateDir, "incarnation.json");
  const found = readClaim(path);
  const { node, fleet } = options;
  const adopt = found !== undefined && found.bootId === deps.bootId && found.node === node && found.fleet === fleet;
  const renew = (): string => {
    const incarnation = deps.entropy.uniqueId();
    writeClaim(path, { incarnation, bootId: deps.bootId, node, fleet });
    return incarnation;
  };
  return { incarnation: adopt ? found.incarnation : renew(), adopt, renew, release: () => lock.release() };
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw new VipdError(
      "config",
      `cannot make the state directory ${path}: ${messageOf(error)}; make it writable for vipd or set stateDir`,
      { path },
      error,
    );
  }
}

/** A claim that is missing or does not parse is no claim: the node begins anew and waits out its old lease. */
function readClaim(path: string): Claim | undefined {
  try {
    const result = schema.safeParse(JSON.parse(readFileSync(path, "utf8")));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

function writeClaim(path: string, claim: Claim): void {
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(claim)}\n`, { mode: 0o640, flush: true });
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new VipdError(
      "config",
      `cannot write ${path}: ${messageOf(error)}; make the state directory writable for vipd`,
      { path },
      error,
    );
  }
}

// A cgroup of its own for a machine: systemd wants to be the manager of one. It is made below the cgroup of this process.

import { mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

/** The directory of this process's own cgroup in the unified hierarchy; undefined where there is none. */
export function ownCgroup(): string | undefined {
  const mounts = readFileSync("/proc/self/mountinfo", "latin1").split("\n");
  const mounted = mounts.find((line) => / - cgroup2 /u.test(line))?.split(" ");
  const path = /^0::(?<path>.*)$/mu.exec(readFileSync("/proc/self/cgroup", "latin1"))?.groups?.["path"];
  const [, , , root, place] = mounted ?? [];
  if (place === undefined || root === undefined || path === undefined) return undefined;
  return join(place, root !== "/" && path.startsWith(root) ? path.slice(root.length) : path);
}

/** Makes a cgroup for a machine. Throws the system's error where that is not allowed. */
export function makeCgroup(name: string): string {
  const own = ownCgroup();
  if (own === undefined) throw new Error("no cgroup2 is mounted here");
  const path = join(own, name);
  mkdirSync(path);
  return path;
}

/** Removes a cgroup and all below it; its processes must have ended, which the kernel may need a moment to see. */
export async function removeCgroup(path: string): Promise<void> {
  for (let tries = 0; ; tries += 1)
    try {
      removeTree(path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      if (tries >= 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

function removeTree(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(path, entry.name));
  rmdirSync(path);
}

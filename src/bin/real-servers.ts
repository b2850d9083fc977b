// The real servers of this host, for both programs. Nothing native is loaded before they are opened.

import type { Timers } from "../ports/clock.ts";
import type { RealServers } from "../ports/real-server.ts";
import { openRealServers } from "../realserver/open.ts";

/** Opens them for one change, by what is kept in this state directory. */
export async function realServersOf(stateDir: string, timers: Timers, signal: AbortSignal): Promise<RealServers> {
  const [{ openRealServerKernel }, { lockDirectory }, { bootId, networkNamespace }] = await Promise.all([
    import("../../adapters/linux/real-server/kernel.ts"),
    import("../../adapters/linux/lockfile.ts"),
    import("../../adapters/linux/boot.ts"),
  ]);
  const here = { bootId: bootId(), networkNamespace: networkNamespace() };
  const uid = process.getuid?.() ?? 0;
  return openRealServers(stateDir, { timers, here, uid, lockDirectory, openKernel: openRealServerKernel }, signal);
}

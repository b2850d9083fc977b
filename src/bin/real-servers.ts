// The real servers of this host, for both programs. Nothing native is loaded before they are opened.

import type { Timers } from "../ports/clock.ts";
import type { RealServers } from "../ports/real-server.ts";
import { openRealServers } from "../realserver/open.ts";
import { bootId, networkNamespace } from "./place.ts";

/** Opens them for one change, by what is kept in this state directory. */
export async function realServersOf(stateDir: string, timers: Timers, signal: AbortSignal): Promise<RealServers> {
  const [{ openRealServerKernel }, { lockDirectory }, { networkCookie }] = await Promise.all([
    import("../../adapters/linux/real-server/kernel.ts"),
    import("../../adapters/linux/lockfile.ts"),
    import("../../adapters/linux/native.ts"),
  ]);
  const [inode, cookie] = [networkNamespace(), networkCookie()];
  const here = { bootId: bootId(), network: cookie === undefined ? inode : `${inode}:${cookie}`, inode };
  const uid = process.getuid?.() ?? 0;
  return openRealServers(stateDir, { timers, here, uid, lockDirectory, openKernel: openRealServerKernel }, signal);
}

// Maintenance of this node, or of some of its VIPs: it lasts until somebody ends it, also over restarts of the daemon and
// of the host, because it is kept in the state directory.

import { join } from "node:path";
import * as z from "zod";
import { messageOf, VipdError } from "../base/errors.ts";
import { parseJson } from "../base/json.ts";
import type { VipConfig } from "../config/types.ts";
import { readStateFile, removeStateFile, writeStateFile } from "../runtime/state-file.ts";

/** What maintenance is kept by. */
export interface MaintenanceKeeper {
  /** Why this node does not hold the VIP; `null`: no maintenance. */
  reasonFor(vip: string): string | null;
  /** Begins maintenance of a VIP, or of all of the node (`null`). Throws "admin" when it cannot be kept. */
  begin(vip: string | null, reason: string): void;
  /** Ends it; all of it for `null`. False when there was none. Throws "admin" when that cannot be kept. */
  end(vip: string | null): boolean;
}

/** Begins (`why`) or ends (`null`) maintenance of one of these VIPs, or of all; the answer says why not, or nothing. Throws "admin". */
export function changeMaintenance(
  keeper: MaintenanceKeeper | undefined,
  vips: readonly Pick<VipConfig, "name">[],
  vip: string | null,
  why: string | null,
): string | undefined {
  if (keeper === undefined) return "this daemon keeps no maintenance";
  if (why === null) return keeper.end(vip) ? undefined : nothingToResume(vip, keeper);
  if (vip !== null && !vips.some(({ name }) => name === vip)) return `${vip} is not configured on this node`;
  keeper.begin(vip, why);
  return undefined;
}

function nothingToResume(vip: string | null, keeper: MaintenanceKeeper): string {
  if (vip === null) return "this node is not in maintenance";
  if (keeper.reasonFor(vip) === null) return `${vip} is not in maintenance on this node`;
  return `all VIPs of this node are in maintenance: vipctl resume without a name ends it`;
}

const text = z.string().max(1_000);
const schema = z.object({ all: text.nullable(), vips: z.record(text, text) });
type Kept = z.infer<typeof schema>;

/** Longest file, in bytes; and so many VIPs are kept one by one. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_KEPT = 1_000;

const NONE: Kept = { all: null, vips: {} };

/** Maintenance kept in a state directory. `onTrouble` is told when what is there cannot be read: it counts as none. */
export function openMaintenance(stateDir: string, onTrouble: (message: string) => void): MaintenanceKeeper {
  const path = join(stateDir, "maintenance.json");
  let kept = read(path, onTrouble);
  const keep = (next: Kept): void => {
    try {
      if (next.all === null && Object.keys(next.vips).length === 0) removeStateFile(path);
      else writeStateFile(path, `${JSON.stringify(next)}\n`);
    } catch (error) {
      const message = `${path} cannot be written (${messageOf(error)}): nothing has changed, make room and try again`;
      throw new VipdError("admin", message, { path }, error);
    }
    kept = next;
  };
  return {
    reasonFor: (vip) => (Object.hasOwn(kept.vips, vip) ? (kept.vips[vip] ?? null) : kept.all),
    begin: (vip, reason) => {
      if (vip === null) return keep({ ...kept, all: reason });
      if (Object.keys(kept.vips).length >= MAX_KEPT)
        throw new VipdError("admin", `${MAX_KEPT} VIPs are in maintenance: put the whole node in maintenance`);
      keep({ ...kept, vips: { ...kept.vips, [vip]: reason } });
    },
    end: (vip) => {
      const had = vip === null ? kept.all !== null || Object.keys(kept.vips).length > 0 : Object.hasOwn(kept.vips, vip);
      if (had) keep(vip === null ? NONE : { ...kept, vips: without(kept.vips, vip) });
      return had;
    },
  };
}

function without(vips: Kept["vips"], vip: string): Kept["vips"] {
  return Object.fromEntries(Object.entries(vips).filter(([name]) => name !== vip));
}

function read(path: string, onTrouble: (message: string) => void): Kept {
  try {
    const result = schema.safeParse(parseJson(readStateFile(path, MAX_BYTES)));
    if (result.success) return result.data;
    onTrouble(`${path} cannot be understood: this node is not in maintenance; remove the file`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      onTrouble(`${path} cannot be read (${messageOf(error)}): this node is not in maintenance`);
  }
  return NONE;
}

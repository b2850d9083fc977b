// The groups of the host, from /etc/group.

import { readFile } from "node:fs/promises";

/** Their numbers by name. */
export async function readGroups(): Promise<ReadonlyMap<string, number>> {
  const table = await readFile("/etc/group", "utf8");
  const groups = table.split("\n").map((line): readonly [string, number] => {
    const [name = "", , gid = ""] = line.split(":");
    return [name, /^\d+$/u.test(gid) ? Number(gid) : Number.NaN];
  });
  return new Map(groups.filter(([name, gid]) => name !== "" && Number.isInteger(gid)));
}

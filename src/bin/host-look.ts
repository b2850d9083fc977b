// What checking a configuration looks up on this host.

import { existsSync } from "node:fs";
import { directoryTrouble, exposureOf, readRegularFile } from "../../adapters/common/regular-file.ts";
import { readGroups } from "../admin/groups.ts";
import { MAX_CONFIG_BYTES, MAX_SECRET_BYTES } from "../base/bounds.ts";
import type { HostLook } from "../cli/check.ts";

/** Reads a configuration: a regular file of a bounded size. */
export async function readConfigFile(path: string): Promise<string> {
  return new TextDecoder().decode(readRegularFile(path, MAX_CONFIG_BYTES));
}

/** Reads a file that holds a secret. */
export function readSecretFile(path: string): Uint8Array {
  return readRegularFile(path, MAX_SECRET_BYTES);
}

/** This host. Nothing native is loaded before its network is asked for. */
export const hostLook: HostLook = {
  exposureOf: async (path) => exposureOf(path),
  readSecret: readSecretFile,
  exists: existsSync,
  groups: async () => new Set((await readGroups()).keys()),
  directoryTrouble,
  network: async () => {
    const { KernelAddresses } = await import("../../adapters/linux/addresses.ts");
    const table = new KernelAddresses();
    try {
      return { addresses: table.addresses(), links: table.links().map(({ name }) => name) };
    } finally {
      table.close();
    }
  },
};

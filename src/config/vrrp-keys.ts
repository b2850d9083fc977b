// Keys of virtual routers that stand in files of their own: read when a configuration is put in force, and again at each reload.

import { messageOf, VipdError } from "../base/errors.ts";
import type { VrrpKey } from "../base/vrrp.ts";
import { formatPath } from "./issue.ts";
import type { Config, VipConfig } from "./types.ts";
import { keyTrouble, withoutLineEnd } from "./vrrp-hmac.ts";

/** Reads the files of the keys. Throws VipdError "config", naming the key of the configuration. */
export function withKeyFiles(config: Config, read: (path: string) => Uint8Array): Config {
  return { ...config, vips: config.vips.map((vip) => withKeys(vip, read)) };
}

function withKeys(vip: VipConfig, read: (path: string) => Uint8Array): VipConfig {
  const { vrrp } = vip;
  if (vrrp?.authentication.kind !== "hmac" || vrrp.keyFiles.length === 0) return vip;
  const { authentication, keyFiles } = vrrp;
  const keys = keyFiles.map(({ id, path, index }): VrrpKey => {
    const place = formatPath(["vips", vip.name, "vrrp", "hmac", "keys", index, "secretFile"]);
    return { id, secret: readKey(place, path, read) };
  });
  return {
    ...vip,
    vrrp: { ...vrrp, authentication: { ...authentication, keys: [...authentication.keys, ...keys] }, keyFiles: [] },
  };
}

function readKey(place: string, path: string, read: (path: string) => Uint8Array): Uint8Array {
  const secret = withoutLineEnd(contentOf(place, path, read));
  const trouble = keyTrouble(secret);
  if (trouble === undefined) return secret;
  throw new VipdError("config", `${place}: ${path} ${trouble.problem}; ${trouble.fix}`, { file: path });
}

function contentOf(place: string, path: string, read: (path: string) => Uint8Array): Uint8Array {
  try {
    return read(path);
  } catch (error) {
    throw new VipdError("config", `${place}: ${path} cannot be read: ${messageOf(error)}`, { file: path }, error);
  }
}

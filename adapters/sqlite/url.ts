// Where a `sqlite:` URL points.

import { VipdError } from "../../src/base/errors.ts";

/** The absolute path of the file that `sqlite:/path/to/file` names. Throws "store-url". */
export function parseSqliteUrl(url: string): string {
  const path = /^sqlite:(?:\/\/(?=\/))?(\/.*)$/su.exec(url)?.[1];
  if (path === undefined || path.endsWith("/") || path.includes("\0"))
    throw new VipdError(
      "store-url",
      `${url} names no file: write an absolute path, such as sqlite:/var/lib/vipd/fleet.db`,
    );
  return path;
}

// Where a `sqlite:` URL points.

import { badUrl, withLowerScheme } from "../common/url.ts";

/** The absolute path of the file that `sqlite:/path/to/file` names. Throws "store-url". */
export function parseSqliteUrl(url: string): string {
  const path = /^sqlite:(?:\/\/(?=\/))?(\/(?!\/).*)$/su.exec(withLowerScheme(url))?.[1];
  if (path === undefined || path.endsWith("/") || path.includes("\0"))
    throw badUrl("names no file by an absolute path", "write one such as sqlite:/var/lib/vipd/fleet.db");
  if (path.includes("?")) throw badUrl("has options, and SQLite takes none", "leave out what follows the path");
  return path;
}

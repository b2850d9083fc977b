// Byte vectors for people and tests: "## name" begins one, "#" lines are findings, the rest is hex.

import { readFileSync } from "node:fs";
import { fromHex } from "../../src/wire/bytes.ts";

/** The vectors of a file in this folder, by name. */
export function loadVectors(file: string): (name: string) => Uint8Array {
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  const vectors = new Map<string, Uint8Array>();
  for (const section of text.split(/^## /mu).slice(1)) {
    const [name = "", ...lines] = section.split("\n");
    vectors.set(name, fromHex(lines.filter((line) => !line.startsWith("#")).join("")));
  }
  return (name) => {
    const bytes = vectors.get(name);
    if (bytes === undefined) throw new Error(`no vector ${name} in ${file}`);
    return bytes;
  };
}

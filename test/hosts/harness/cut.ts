// Packets that get lost on purpose: what a machine is not to hear, or not to say.

import type { Station } from "./lan.ts";

/** `hears`: nothing reaches it; `says`: what it sends is lost, so that requests are done and answers are not told. */
export type Way = "hears" | "says";

/** Has packets between a machine and others (all, when none is named) dropped until the result is called. */
export function cut(machine: Station, way: Way, others: readonly Station[] = []): () => void {
  const { namespace } = machine;
  const table = `cut-${way}`;
  const peer = way === "hears" ? "saddr" : "daddr";
  const match = others.length === 0 ? "" : `ip ${peer} { ${others.map(({ ip }) => ip).join(", ")} } `;
  const [hook, outside] = way === "hears" ? ["input", "iifname"] : ["output", "oifname"];
  const rule = `type filter hook ${hook} priority 0; ${outside} != "lo" ${match}drop;`;
  namespace.exec("nft", `table inet ${table} { chain packets { ${rule} }; }`);
  return () => void namespace.exec("nft", "delete", "table", "inet", table);
}

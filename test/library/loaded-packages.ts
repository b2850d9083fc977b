// A process of its own that opens a store and prints which packages that has loaded, as a JSON list.

import { registerHooks } from "node:module";

const packages = new Set<string>();
registerHooks({
  resolve: (specifier, context, next) => {
    const found = next(specifier, context);
    const name = /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//u.exec(found.url)?.[1];
    if (name !== undefined) packages.add(name);
    return found;
  },
});

const { openStore } = await import("../../src/stores/index.ts");
const store = await openStore(process.argv[2] ?? "");
await store.close();
process.stdout.write(JSON.stringify([...packages]));
process.exit(0);

#!/usr/bin/env node
// The daemon's front door. A daemon that idles most of the time needs neither a large nursery, which V8 would let grow to
// tens of megabytes before it cleans up, nor the tiers of optimisation, whose compilers cost 8 MB to have been called once
// (a thousand VIPs cost the same time without them). This must be said before the rest is loaded.

import { setFlagsFromString } from "node:v8";
import { refuseOldNode } from "./node-version.ts";

refuseOldNode("vipd");
// What Node.js deprecates in a client library is for its developers, not for the log.
process.noDeprecation = true;
for (const flag of [
  ...["--max-semi-space-size=1", "--semi-space-growth-factor=1"],
  ...["--no-opt", "--no-maglev", "--optimize-for-size"],
])
  setFlagsFromString(flag);

const { main } = await import("./daemon.ts");
await main();

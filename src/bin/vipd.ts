#!/usr/bin/env node
// The daemon's front door. A daemon that idles most of the time needs neither a large nursery, which V8 would let grow to
// tens of megabytes before it cleans up, nor the last tier of optimisation, whose compiler costs 5 MB to have been called
// once (the tiers below stay). This must be said before the rest is loaded.

import { setFlagsFromString } from "node:v8";
import { refuseOldNode } from "./node-version.ts";

refuseOldNode("vipd");
// What Node.js deprecates in a client library is for its developers, not for the log.
process.noDeprecation = true;
for (const flag of ["--max-semi-space-size=1", "--semi-space-growth-factor=1", "--no-opt"]) setFlagsFromString(flag);

const { main } = await import("./daemon.ts");
await main();

#!/usr/bin/env node
// vipctl's front door.

import { refuseOldNode } from "./node-version.ts";

refuseOldNode("vipctl");
// What Node.js deprecates in a client library is for its developers, not for the terminal.
process.noDeprecation = true;
const { main } = await import("./command-line.ts");
await main();

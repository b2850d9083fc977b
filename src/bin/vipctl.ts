#!/usr/bin/env node
// vipctl's front door.

import { refuseOldNode } from "./node-version.ts";

refuseOldNode("vipctl");
const { main } = await import("./command-line.ts");
await main();

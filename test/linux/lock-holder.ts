// Takes the lock of the file that it is given, tells how that went, and answers each line until its input ends.

import { createInterface } from "node:readline";
import { lockFile } from "../../adapters/linux/lockfile.ts";

const lock = lockFile(process.argv[2] ?? "");
process.stdout.write(`${JSON.stringify(lock === "busy" ? "busy" : "locked")}\n`);
for await (const _ of createInterface({ input: process.stdin })) process.stdout.write('"alive"\n');

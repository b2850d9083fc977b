// Which Node runs this. Asked before the rest is loaded, which an older Node cannot even parse.

/** The least version of Node, as package.json's `engines` has it. */
export const LEAST_NODE = "22.18.0";

/** sysexits.h: something is configured wrongly. */
const EX_CONFIG = 78;

/** Ends the process with exit code 78, and words, when this Node is older than LEAST_NODE. */
export function refuseOldNode(program: string): void {
  const message = tooOld(process.versions.node);
  if (message === undefined) return;
  process.stderr.write(`${program}: ${message} (${process.execPath})\n`);
  process.exit(EX_CONFIG);
}

/** What is wrong with a version such as "20.11.1"; `undefined`: nothing. */
export function tooOld(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = LEAST_NODE.split(".").map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined;
  return `needs Node ${leastMajor}.${leastMinor} or later, this is Node ${version}`;
}

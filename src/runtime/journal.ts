// systemd's journal behind a stream: lines may begin with their priority, as sd-daemon(3) has it.

import { fstatSync } from "node:fs";

/** Whether the file descriptor is connected to the journal, by the variable that systemd sets: device and inode. */
export function isJournal(fd: number, variable = process.env["JOURNAL_STREAM"]): boolean {
  if (variable === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd);
    return variable === `${dev}:${ino}`;
  } catch {
    // A closed descriptor is connected to nothing.
    return false;
  }
}

/** syslog's priorities of the log levels. */
const PRIORITIES = { error: 3, warn: 4, info: 6, debug: 7, trace: 7 } as const;

/** What a line of that level begins with. */
export function priorityPrefix(level: keyof typeof PRIORITIES): string {
  return `<${PRIORITIES[level]}>`;
}

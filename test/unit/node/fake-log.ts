// A log that keeps its lines, for tests.

import type { LogFields, Logger } from "../../../src/ports/logger.ts";

export interface LogLine {
  readonly level: keyof Logger;
  readonly message: string;
  readonly fields: LogFields;
}

export class FakeLog implements Logger {
  readonly lines: LogLine[] = [];

  debug(fields: LogFields, message: string): void {
    this.lines.push({ level: "debug", message, fields });
  }

  info(fields: LogFields, message: string): void {
    this.lines.push({ level: "info", message, fields });
  }

  warn(fields: LogFields, message: string): void {
    this.lines.push({ level: "warn", message, fields });
  }

  error(fields: LogFields, message: string): void {
    this.lines.push({ level: "error", message, fields });
  }

  /** The messages of a level. */
  messages(level: keyof Logger): readonly string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }
}

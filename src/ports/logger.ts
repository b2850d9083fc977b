// Where the program tells what it does. pino fits this shape.

/** Facts of a log line, for machines; never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A leveled log. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

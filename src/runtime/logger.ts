// The daemon's log: pino, JSON lines on standard output, or pretty lines on a terminal. In systemd's journal each line has
// its priority.

import { type DestinationStream, type Level, pino } from "pino";
import type { Logger } from "../ports/logger.ts";
import { isJournal, priorityPrefix } from "./journal.ts";

/** How much is logged, and how it looks; `auto`: pretty on a terminal, JSON elsewhere. */
export interface LogOptions {
  readonly level: Level;
  readonly format: "auto" | "json" | "pretty";
  /** On every line, so that logs of many nodes can be told apart. */
  readonly node: string;
}

/** A logger whose level can change while it runs. */
export interface AdjustableLogger extends Logger {
  setLevel(level: Level): void;
  /** Whether lines of level debug are written. */
  isDebug(): boolean;
}

/** Makes the daemon's logger. Lines are written before a call returns: a crash loses none. */
export async function createLogger(options: LogOptions): Promise<AdjustableLogger> {
  const isPretty = options.format === "pretty" || (options.format === "auto" && process.stdout.isTTY);
  const target = isPretty
    ? (await import("pino-pretty")).default({
        sync: true,
        ignore: "pid,hostname,node",
        singleLine: true,
        translateTime: "SYS:HH:MM:ss.l",
      })
    : pino.destination({ dest: 1, sync: true });
  const log = pino(
    {
      level: options.level,
      base: { node: options.node },
      timestamp: pino.stdTimeFunctions.isoTime,
      // Names: numbers are pino's own.
      formatters: { level: (level) => ({ level }) },
    },
    isJournal(1) && !isPretty ? withPriority(target) : target,
  );
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    isDebug: () => log.isLevelEnabled("debug"),
    setLevel: (level) => {
      log.level = level;
    },
  };
}

/** pino tells the level of a line on the stream itself, where the stream asks for it. */
function withPriority(target: DestinationStream): DestinationStream {
  const stream = {
    [pino.symbols.needsMetadataGsym]: true,
    lastLevel: 0,
    write: (line: string): void => target.write(`${prefixOf(stream.lastLevel)}${line}`),
  };
  return stream;
}

function prefixOf(level: number): string {
  const name = pino.levels.labels[level];
  return name === "error" || name === "warn" || name === "debug" || name === "trace"
    ? priorityPrefix(name)
    : priorityPrefix("info");
}

// One error type for everything that is expected to go wrong: a stable code, typed facts, and the cause.

/** Stable error codes. Never renamed; people and programs match on them. */
export type ErrorCode =
  /** The store did not do it, and will not: refused, unreachable before the send, read only. */
  | "store-unavailable"
  /** The store may or may not have done it, now or later. */
  | "outcome-unknown"
  /** The store holds data that does not parse, or of a newer format. */
  | "store-corrupt"
  /** The store URL names no known store, or its parts do not fit. */
  | "store-url"
  /** The kernel refused: see `context.errno` and `context.call`. */
  | "kernel"
  /** A capability is missing: see `context.capability`. */
  | "privilege"
  /** A network interface is missing or unusable. */
  | "interface"
  /** The fence cannot be put up, or somebody else owns it. */
  | "fence"
  /** The state directory cannot be read or written: see `context.path`. */
  | "state-dir"
  /** The configuration has mistakes: see `context.issues`. */
  | "config"
  /** The admin socket cannot be used. */
  | "admin"
  /** A leader is no leader any more: its lease is over, or it gave the election up. */
  | "lease-lost"
  /** Another vipd lives with the same state directory, or in the same network namespace. */
  | "already-running"
  /** A wait reached its deadline. */
  | "timeout"
  /** The caller's AbortSignal fired. */
  | "aborted";

/** Facts of an error, for logs and `--json`; never secrets. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The error that vipd throws for each failure it foresees. */
export class VipdError extends Error {
  override readonly name = "VipdError";
  readonly code: ErrorCode;
  readonly context: ErrorContext;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.context = context;
  }
}

/** Whether `error` is a VipdError, of `code` when given. */
export function isVipdError(error: unknown, code?: ErrorCode): error is VipdError {
  return error instanceof VipdError && (code === undefined || error.code === code);
}

/** The message of anything thrown, for a log line or a sentence. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

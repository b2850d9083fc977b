// A command as somebody configures it.

/** A command: a program and its arguments, without a shell. */
export interface CommandOptions {
  /** The program, as an absolute path or a name that is looked up in COMMAND_PATH, and its arguments. At least one. */
  readonly argv: readonly string[];
  /**
   * Whom it runs as: `name`, `name:group`, `uid` or `uid:gid`, with no supplementary groups. `null`: the daemon's own user
   * and groups.
   */
  readonly user: string | null;
  /** From SIGTERM to SIGKILL when it is stopped, in milliseconds. */
  readonly graceMs: number;
}

/** Why a command would not be run. */
export interface Refusal {
  /** In words. */
  readonly why: string;
  /** The user that it would run as is to blame, and not the program. */
  readonly isUser: boolean;
}

// What a process's exit code says. vipctl's first four are made for scripts; the others follow sysexits(3).

import { type ErrorCode, isVipdError } from "../base/errors.ts";

/** Every exit code of vipd and vipctl. */
export const EXIT = {
  ok: 0,
  /** vipctl: the VIP is free, or not confirmed; or what was asked for did not happen. */
  no: 1,
  usage: 2,
  /** The store cannot be reached, read or trusted. */
  store: 3,
  /** vipctl who-owns --verify: the wire and the store disagree. */
  disagreement: 4,
  unavailable: 69,
  software: 70,
  kernel: 71,
  io: 74,
  temporary: 75,
  privilege: 77,
  config: 78,
  interrupted: 130,
} as const;

/** One of the exit codes. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_ERROR: Readonly<Record<ErrorCode, ExitCode>> = {
  "store-unavailable": EXIT.store,
  "outcome-unknown": EXIT.store,
  "store-corrupt": EXIT.store,
  "store-url": EXIT.config,
  kernel: EXIT.kernel,
  privilege: EXIT.privilege,
  interface: EXIT.unavailable,
  fence: EXIT.kernel,
  "state-dir": EXIT.io,
  config: EXIT.config,
  admin: EXIT.unavailable,
  "lease-lost": EXIT.temporary,
  "already-running": EXIT.temporary,
  timeout: EXIT.temporary,
  aborted: EXIT.interrupted,
};

/** The exit code for anything thrown: what was not foreseen is a bug (70), or the system's I/O (74). */
export function exitCodeOf(error: unknown): ExitCode {
  if (isVipdError(error)) return BY_ERROR[error.code];
  const fromSystem = error instanceof Error && "syscall" in error && "errno" in error;
  return fromSystem ? EXIT.io : EXIT.software;
}

type Row = readonly [code: ExitCode, meaning: string];

const COMMON: readonly Row[] = [
  [EXIT.software, "a bug in vipd"],
  [EXIT.kernel, "the kernel refused, or the fence cannot be put up"],
  [EXIT.io, "a file could not be read or written"],
  [EXIT.temporary, "not now: another vipd runs, or it took too long"],
  [EXIT.privilege, "a privilege is missing; the message names it"],
  [EXIT.config, "the configuration has mistakes"],
];

/** vipd's exit codes, for its help. */
export const VIPD_EXIT_CODES: readonly Row[] = [
  [EXIT.ok, "stopped as asked; --check: no mistakes"],
  [EXIT.usage, "wrong arguments"],
  [EXIT.store, "the store cannot be used"],
  [EXIT.unavailable, "the admin socket or a network interface cannot be used"],
  ...COMMON,
];

/** vipctl's exit codes, for its help. */
export const VIPCTL_EXIT_CODES: readonly Row[] = [
  [EXIT.ok, "done; who-owns: held"],
  [
    EXIT.no,
    "refused or not done; who-owns: free, or not confirmed; checks: one has failed; realserver: refused, or not as it should be; doctor: a failure was found",
  ],
  [EXIT.usage, "wrong arguments, or no VIP of that name"],
  [EXIT.store, "the store cannot be reached, read or trusted"],
  [EXIT.disagreement, "who-owns --verify: wire and store disagree"],
  [EXIT.unavailable, "no daemon, admin socket or network interface to work with"],
  ...COMMON,
  [EXIT.interrupted, "interrupted"],
];

/** The codes as a block of help text. */
export function formatExitCodes(rows: readonly Row[]): string {
  const lines = rows.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`);
  return ["Exit codes:", ...lines].join("\n");
}

// Runs one command in a session and process group of its own, and ends with it: whatever it does (hang, ignore SIGTERM,
// print for ever, leave children behind), the result comes, its output stays bounded, and no process of it is left.
//
// The command gets /dev/null as standard input, `/` as directory, a small environment, and its user with no supplementary
// groups.

import { statSync } from "node:fs";
import process from "node:process";
import type { CommandOptions, Refusal } from "../base/command.ts";
import { isVipdError, messageOf } from "../base/errors.ts";
import { elapsedMs } from "../base/time.ts";
import type { Timers } from "../ports/clock.ts";
import type { OnOutput, StartedProgram, StartProgram } from "../ports/programs.ts";
import { type Account, findAccount } from "./account.ts";
import { COMMAND_PATH, type CommandEnding, type FinishedCommand } from "./command.ts";
import { forkProgram } from "./fork.ts";
import { OutputTail } from "./output.ts";
import { RunningProcess } from "./running.ts";
import { spawnFailure } from "./spawn-failure.ts";
import { trustCommand } from "./trust.ts";

const ANY_EXECUTE = 0o111;

/** What a command is run with, beside its options. */
export interface RunLimits {
  /** It is stopped when it has written more bytes than these; Infinity: what it writes is read and dropped. */
  readonly maxOutputBytes: number;
  /**
   * What becomes of processes of its group that live on when it has exited: "kill" ends them, and says so; "keep" lets them
   * be, for a command that starts a service. A command that is stopped takes them with it in any case.
   */
  readonly leftovers: "kill" | "keep";
  /** Added to the environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Gets the output as it comes. */
  readonly onOutput?: OnOutput;
}

/** What running a command needs. */
export interface RunDeps {
  readonly timers: Timers;
  /** Starts programs of this process's own user at less cost than fork(2); absent where there is no such way. */
  readonly startProgram?: StartProgram | undefined;
}

/** A program that is ready to be spawned. */
interface Prepared {
  readonly program: string;
  readonly account: Account;
}

/**
 * Runs a command until it ends or `signal` aborts: with a VipdError "timeout" as reason that is its time limit. Never
 * rejects. Settles at most `graceMs` plus some seconds after the abort.
 */
export async function runCommand(
  options: CommandOptions,
  limits: RunLimits,
  { timers, startProgram }: RunDeps,
  signal: AbortSignal,
): Promise<FinishedCommand> {
  const startedAt = timers.now();
  const tail = new OutputTail();
  const finished = (ending: CommandEnding, unkillable: readonly number[] = []): FinishedCommand => {
    const tookMs = elapsedMs(startedAt, timers.now());
    return { ending, lastLine: tail.lastLine(), outputBytes: tail.bytes, tookMs, unkillable };
  };
  const prepared = await prepare(options);
  if ("why" in prepared) return finished({ kind: "not-run", why: prepared.why });
  if (signal.aborted) return finished({ kind: isVipdError(signal.reason, "timeout") ? "timed-out" : "stopped" });
  const start = (onOutput: OnOutput): StartedProgram => startCommand(prepared, options, limits, startProgram, onOutput);
  const running = begin(start, { ...limits, graceMs: options.graceMs }, { timers, tail });
  if (running instanceof Error) return finished(notRun(running, prepared));
  const ending = await running.end(signal);
  return finished(ending instanceof Error ? notRun(ending, prepared) : ending, running.unkillable);
}

/** For those who read a configuration or examine a host; `undefined`: nothing is known against the command. */
export async function refusalOf(options: Pick<CommandOptions, "argv" | "user">): Promise<Refusal | undefined> {
  const prepared = await prepare(options);
  return "why" in prepared ? prepared : undefined;
}

/** Looks at everything that can be known before. */
async function prepare({ argv, user }: Pick<CommandOptions, "argv" | "user">): Promise<Prepared | Refusal> {
  const refuse = (why: string, isUser = false): Refusal => ({ why, isUser });
  try {
    const account = user === null ? ownAccount() : await findAccount(user);
    if (typeof account === "string") return refuse(account, true);
    const trust = trustCommand(argv, account.uid);
    if (!trust.trusted) return refuse(trust.why);
    const why = notExecutable(trust.program);
    return why === undefined ? { program: trust.program, account } : refuse(why);
  } catch (error) {
    return refuse(messageOf(error));
  }
}

function notExecutable(program: string): string | undefined {
  const stats = statSync(program);
  if (stats.isDirectory()) return `${program} is a directory, not a program`;
  return (stats.mode & ANY_EXECUTE) === 0 ? `${program} is not executable: chmod +x ${program}` : undefined;
}

/** Some failures are thrown, others come as the program's exit. */
function begin(...[start, options, deps]: ConstructorParameters<typeof RunningProcess>): RunningProcess | Error {
  try {
    return new RunningProcess(start, options, deps);
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error));
  }
}

function startCommand(
  { program, account }: Prepared,
  { argv }: CommandOptions,
  limits: RunLimits,
  startProgram: StartProgram | undefined,
  onOutput: OnOutput,
): StartedProgram {
  const environment = { ...baseEnvironment(account), ...limits.environment };
  const command = { path: program, argv, environment };
  if (!isOurs(account)) return forkProgram(command, onOutput, { uid: account.uid, gid: account.gid });
  return (startProgram ?? forkProgram)(command, onOutput);
}

function notRun(error: Error, { program, account }: Prepared): CommandEnding {
  return { kind: "not-run", why: spawnFailure(error, program, account) };
}

function ownAccount(): Account {
  const [uid, gid] = ownIds();
  return { uid, gid, name: "", home: "/" };
}

/** Only root can drop its groups; a daemon without root may still name its own user. */
function isOurs({ uid, gid, name }: Account): boolean {
  const [ownUid, ownGid] = ownIds();
  return uid === ownUid && gid === ownGid && (name === "" || ownUid !== 0);
}

function ownIds(): readonly [number, number] {
  return [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
}

function baseEnvironment({ name, home }: Account): Record<string, string> {
  const user = name === "" ? {} : { USER: name, LOGNAME: name };
  return { PATH: COMMAND_PATH, LANG: "C.UTF-8", HOME: home, SHELL: "/bin/sh", ...user };
}

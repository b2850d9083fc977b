// Who could change what a command runs. A daemon that runs as root executes nothing that others may replace.
//
// From `/` to the program every directory is looked at, and every symbolic link is followed, its own directories included:
//
// - what belongs to another user than root or the command's own one may be changed by that user;
// - what its group may write to is refused unless the group is root's (a POSIX ACL shows in the group's bits too: its mask);
// - what all may write to is refused;
// - a directory with the sticky bit (/tmp) lets everybody add names, but rename and remove only their own. So it is let pass
//   when it belongs to root or the own user, and the next name in it does too: nobody else can put another one in its place.
//   A name that is not there is refused, for anybody may make it.
// - a symbolic link has no mode of its own: whoever may write to its directory may replace it; only in a sticky directory its
//   owner counts.
//
// All of it is synchronous: execve(2) is about to walk the same path, and spawning waits for that too.

import { lstatSync, readlinkSync, type Stats, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { messageOf } from "../base/errors.ts";
import { COMMAND_PATH } from "./command.ts";

const GROUP_WRITE = 0o020;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;
const ROOT = 0;

/** As the kernel's own limit (MAXSYMLINKS). */
const MAX_LINKS = 40;

/** Programs whose first argument that is no option is the script that they run, unless an option brings the text itself. */
const INTERPRETERS: readonly { readonly name: RegExp; readonly withText: RegExp }[] = [
  { name: /^(?:ba|da|z|k|a)?sh$/u, withText: /^-[a-zA-Z]*c/u },
  { name: /^(?:python|perl|ruby|node|php|lua|tclsh)[\d.]*$/u, withText: /^-[a-zA-Z]*[cemr]$/u },
];

/** A program that was found, or the reason why it will not be run. */
export type Trust =
  | { readonly trusted: true; readonly program: string }
  | { readonly trusted: false; readonly why: string };

/**
 * Looks a command's program up, and whether others than root and the user `uid` could change it, or the script that it is
 * given as an interpreter. The reason names the path and what to do about it.
 */
export function trustCommand(argv: readonly string[], uid: number): Trust {
  const program = locate(argv[0] ?? "");
  if (program === undefined) return refuse(`there is no program ${argv[0] ?? ""}${inPath(argv[0] ?? "")}`);
  const script = scriptOf(basename(program), argv.slice(1));
  for (const path of script === undefined ? [program] : [program, script]) {
    const why = weakness(path, uid);
    if (why !== undefined) return refuse(why);
  }
  return { trusted: true, program };
}

function refuse(why: string): Trust {
  return { trusted: false, why };
}

function inPath(name: string): string {
  return name.includes("/") ? "" : ` in ${COMMAND_PATH}`;
}

/** The script that an interpreter is given by its absolute path. */
function scriptOf(program: string, rest: readonly string[]): string | undefined {
  const interpreter = INTERPRETERS.find(({ name }) => name.test(program));
  if (interpreter === undefined) return undefined;
  for (const argument of rest) {
    if (interpreter.withText.test(argument)) return undefined;
    if (!argument.startsWith("-")) return argument.startsWith("/") ? argument : undefined;
  }
  return undefined;
}

/** The absolute path of a program; undefined when there is none. */
function locate(name: string): string | undefined {
  const candidates = name.includes("/")
    ? [resolve("/", name)]
    : COMMAND_PATH.split(":").map((path) => join(path, name));
  for (const candidate of name === "" ? [] : candidates) {
    try {
      if (statSync(candidate, { throwIfNoEntry: false }) !== undefined) return candidate;
    } catch {
      // A loop of links, or a directory that may not be searched; the next one may have it.
    }
  }
  return undefined;
}

/** Why others could change what lies at this absolute path; undefined when nobody could. */
export function weakness(path: string, uid: number): string | undefined {
  try {
    return walk(path, uid);
  } catch (error) {
    return `${path} cannot be examined: ${messageOf(error)}`;
  }
}

function walk(path: string, uid: number): string | undefined {
  let links = 0;
  let pending = namesOf(path);
  let here = "/";
  let directory = lstatSync(here);
  let problem = weaknessOf(here, directory, undefined, uid);
  while (problem === undefined && pending.length > 0) {
    const [name = "", ...rest] = pending;
    const next = join(here, name);
    const stats = lstatSync(next);
    problem = weaknessOf(next, stats, directory, uid);
    pending = rest;
    if (!stats.isSymbolicLink()) [here, directory] = [next, stats];
    else {
      links += 1;
      if (links > MAX_LINKS) return `${path} leads through too many symbolic links`;
      pending = [...namesOf(resolve(here, readlinkSync(next))), ...rest];
      [here, directory] = ["/", lstatSync("/")];
    }
  }
  return problem;
}

function namesOf(path: string): readonly string[] {
  return path.split("/").filter((name) => name !== "");
}

/** `parent` has been found safe: it is writable by others at most under the sticky bit. */
function weaknessOf(path: string, stats: Stats, parent: Stats | undefined, uid: number): string | undefined {
  const isOwn = stats.uid === ROOT || stats.uid === uid;
  const isInSticky = parent !== undefined && (parent.mode & STICKY) !== 0 && othersMayWrite(parent);
  if (stats.isSymbolicLink())
    return isInSticky && !isOwn
      ? `${path} belongs to uid ${stats.uid}, in a directory that all may write to`
      : undefined;
  if (!isOwn) return `${path} belongs to uid ${stats.uid}, who may change it: chown root ${path}`;
  if (!othersMayWrite(stats) || (stats.isDirectory() && (stats.mode & STICKY) !== 0)) return undefined;
  if ((stats.mode & OTHERS_WRITE) !== 0) return `all may write to ${path}: chmod go-w ${path}`;
  return `group ${stats.gid} may write to ${path}: chmod g-w ${path}`;
}

function othersMayWrite({ mode, gid }: Stats): boolean {
  return (mode & OTHERS_WRITE) !== 0 || ((mode & GROUP_WRITE) !== 0 && gid !== ROOT);
}

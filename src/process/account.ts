// The user and group that a command runs as.

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

/** Whom a command runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** Login name; empty when the user database has none for the number. */
  readonly name: string;
  readonly home: string;
}

const PASSWD = "/etc/passwd";
const GROUP = "/etc/group";

/** For users of a directory service (LDAP, SSSD) that stand in no file. */
const GETENT = "/usr/bin/getent";
const GETENT_TIMEOUT_MS = 2_000;
const GETENT_MAX_BYTES = 64 * 1024;

/** The largest number that names a user or group; 2^32 - 1 means "none" in the kernel. */
const MAX_ID = 2 ** 32 - 2;

/**
 * Finds the account of `name`, `name:group`, `uid` or `uid:gid`. A string is the reason, in words, why there is none.
 */
export async function findAccount(text: string): Promise<Account | string> {
  const [user = "", group, ...rest] = text.split(":");
  if (user === "" || group === "" || rest.length > 0)
    return `${text} is no user; write a name, name:group, uid or uid:gid`;
  const entry = await findEntry("passwd", PASSWD, user);
  if (typeof entry === "string") return entry;
  const uid = entry === undefined ? numberOf(user) : numberOf(entry[2] ?? "");
  if (uid === undefined) return `there is no user ${user}`;
  const gid = group === undefined ? numberOf(entry?.[3] ?? "") : await findGroup(group);
  if (gid === undefined)
    return group === undefined
      ? `user ${user} has no entry in ${PASSWD}: name the group too, as in ${user}:${user}`
      : `there is no group ${group}`;
  if (typeof gid === "string") return gid;
  return { uid, gid, name: entry?.[0] ?? "", home: entry?.[5] ?? "/" };
}

async function findGroup(group: string): Promise<number | string | undefined> {
  const number = numberOf(group);
  if (number !== undefined) return number;
  const entry = await findEntry("group", GROUP, group);
  return typeof entry === "string" ? entry : numberOf(entry?.[2] ?? "");
}

/** The fields of passwd(5) or group(5) by name or number; undefined when there is none, a string when nobody can tell. */
async function findEntry(
  database: "passwd" | "group",
  file: string,
  key: string,
): Promise<readonly string[] | string | undefined> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    return `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  return entryIn(text, key) ?? entryIn(await askNameService(database, key), key);
}

function entryIn(text: string, key: string): readonly string[] | undefined {
  const id = numberOf(key);
  for (const line of text.split("\n")) {
    const fields = line.split(":");
    if (fields[0] === key || (id !== undefined && numberOf(fields[2] ?? "") === id)) return fields;
  }
  return undefined;
}

/** Asks the name service switch; empty when it knows nothing, or there is no getent on this host. */
async function askNameService(database: "passwd" | "group", key: string): Promise<string> {
  if (numberOf(key) !== undefined) return "";
  try {
    const { stdout } = await promisify(execFile)(GETENT, [database, key], {
      timeout: GETENT_TIMEOUT_MS,
      killSignal: "SIGKILL",
      maxBuffer: GETENT_MAX_BYTES,
    });
    return stdout;
  } catch {
    // Exit status 2: no such entry. Any other failure: no answer, and so no entry.
    return "";
  }
}

function numberOf(text: string): number | undefined {
  const number = /^\d{1,10}$/u.test(text) ? Number(text) : undefined;
  return number !== undefined && number <= MAX_ID ? number : undefined;
}

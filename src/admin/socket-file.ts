// The admin socket in the file system: made in a private directory, given its rights, and only then moved to
// its place, so that at no instant anybody else can open it. The process's umask is left alone.

import { randomBytes } from "node:crypto";
import { chmod, chown, lstat, mkdir, mkdtemp, rename, rm, rmdir, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { dirname, join } from "node:path";
import { readGroups } from "./groups.ts";
import { messageOf, VipdError } from "../base/errors.ts";

/** Owner and group may use it, nobody else. */
const SOCKET_MODE = 0o660;

/** sockaddr_un's path, less the NUL. */
const MAX_SOCKET_PATH_BYTES = 107;

/** A server that accepts the connection within this time is alive, in milliseconds. */
const KNOCK_MS = 500;

/** Makes `server` listen at `path`; the result removes the file again if it is still this server's. */
export async function listenAt(server: Server, path: string, group: string | null): Promise<() => Promise<void>> {
  await makeRoom(path);
  // Inside the socket's own directory: a service may write nowhere else. (`join` would drop a trailing dot.)
  const nest = await mkdtemp(`${dirname(path)}/.`).catch((error: unknown) => fail(path, error));
  const egg = join(nest, randomBytes(1).toString("hex"));
  try {
    if (Math.max(Buffer.byteLength(egg), Buffer.byteLength(path)) > MAX_SOCKET_PATH_BYTES)
      throw new VipdError("admin", `the socket's path is too long for the kernel: ${path}`, { socket: path });
    await bind(server, egg);
    if (group !== null) await giveTo(egg, group);
    await chmod(egg, SOCKET_MODE);
    await rename(egg, path);
  } catch (error) {
    server.close();
    await rm(egg, { force: true });
    throw error instanceof VipdError ? error : fail(path, error);
  } finally {
    await rmdir(nest);
  }
  const { ino } = await lstat(path);
  return () => removeOwn(path, ino);
}

/** Creates the directory, and removes a socket at which nobody listens any more. */
async function makeRoom(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 }).catch((error: unknown) => fail(path, error));
  const found = await lstat(path).catch((error: unknown) =>
    (error as NodeJS.ErrnoException).code === "ENOENT" ? undefined : fail(path, error),
  );
  if (found === undefined) return;
  if (!found.isSocket())
    throw new VipdError("admin", `${path} exists and is no socket; remove it, or set admin.socket`, { socket: path });
  if (await someoneListens(path))
    throw new VipdError("admin", `socket already in use: another vipd listens at ${path}`, { socket: path });
  await unlink(path).catch((error: unknown) => fail(path, error));
}

/** Only a refusal proves that nobody is there; a server with a full backlog, or a frozen one, lives. */
function someoneListens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(KNOCK_MS, () => done(true));
    socket.once("connect", () => done(true));
    socket.once("error", (error: NodeJS.ErrnoException) =>
      done(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"),
    );
  });
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function removeOwn(path: string, ino: number): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.ino === ino) await rm(path, { force: true });
}

/** Only root may give a file to a group that it is not in. */
async function giveTo(socket: string, group: string): Promise<void> {
  const gid = await groupId(group);
  try {
    await chown(socket, -1, gid);
  } catch (error) {
    throw new VipdError(
      "admin",
      `admin.group: vipd may not give its socket to the group ${group}: ${messageOf(error)}; add the user that vipd runs as to that group (SupplementaryGroups= in its unit)`,
      { group },
      error,
    );
  }
}

/** A group's number, from /etc/group where it is given by name. */
async function groupId(group: string): Promise<number> {
  if (/^\d+$/u.test(group)) return Number(group);
  const gid = (await readGroups()).get(group);
  if (gid === undefined)
    throw new VipdError("admin", `no group "${group}" in /etc/group; give its number instead`, { group });
  return gid;
}

function fail(path: string, error: unknown): never {
  throw new VipdError("admin", `cannot listen at ${path}: ${messageOf(error)}`, { socket: path }, error);
}

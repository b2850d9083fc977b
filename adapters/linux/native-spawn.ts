// The native bridge of programs: libc's calls that start one without a copy of this process, tell of its end, and read its output.

import koffi from "koffi";
import { ESRCH, kernelError } from "./errors.ts";
import { checked, type Fd } from "./native.ts";

const libc = koffi.load(null);
const calls = {
  pipe2: libc.func("int pipe2(void *fds, int flags)"),
  fcntl: libc.func("int fcntl(int fd, int command, int argument)"),
  kill: libc.func("int kill(int pid, int signal)"),
  waitpid: libc.func("int waitpid(int pid, void *status, int options)"),
  syscall: libc.func("long syscall(long number, int first, int second)"),
};

const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const F_SETFL = 4;
const WNOHANG = 1;
const SIGKILL = 9;
/** The same on all machines: Linux 5.3. */
const SYS_PIDFD_OPEN = 434;

/** spawn.h of glibc and of musl. */
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
const SIGSET_BYTES = 128;
/** posix_spawnattr_t takes 336 bytes, posix_spawn_file_actions_t 80. */
const OPAQUE_BYTES = 512;

/** What a program gets. */
export interface SpawnOptions {
  readonly path: string;
  readonly argv: readonly string[];
  /** As `NAME=value`. */
  readonly environment: readonly string[];
  readonly stdout: Fd;
  readonly stderr: Fd;
}

/**
 * Starts a program as leader of a session of its own, in `/`, with /dev/null as standard input and no signal blocked or ignored; the
 * answer is its process id, or the errno of execve(2) or clone(2) as a negative number. The thread stands still until the
 * program's file is executed, and no page table is copied (posix_spawn(3): CLONE_VM and CLONE_VFORK).
 */
export type Spawn = (options: SpawnOptions) => number;

/** `undefined`: this libc is older than what is needed (glibc 2.29, musl 1.1.24). */
export function openSpawn(): Spawn | undefined {
  let spawn: ReturnType<typeof declareSpawn>;
  try {
    spawn = declareSpawn();
  } catch {
    return undefined;
  }
  const attributes = new Uint8Array(OPAQUE_BYTES);
  succeed("posix_spawnattr_init", spawn.initAttributes(attributes));
  const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID;
  succeed("posix_spawnattr_setflags", spawn.setFlags(attributes, flags));
  succeed("posix_spawnattr_setsigmask", spawn.setMask(attributes, new Uint8Array(SIGSET_BYTES)));
  succeed("posix_spawnattr_setsigdefault", spawn.setDefault(attributes, new Uint8Array(SIGSET_BYTES).fill(0xff)));
  return ({ path, argv, environment, stdout, stderr }) => {
    const actions = new Uint8Array(OPAQUE_BYTES);
    succeed("posix_spawn_file_actions_init", spawn.initActions(actions));
    try {
      succeed("posix_spawn_file_actions_addopen", spawn.addOpen(actions, 0, "/dev/null", 0, 0));
      succeed("posix_spawn_file_actions_adddup2", spawn.addDup2(actions, stdout, 1));
      succeed("posix_spawn_file_actions_adddup2", spawn.addDup2(actions, stderr, 2));
      succeed("posix_spawn_file_actions_addchdir_np", spawn.addChdir(actions, "/"));
      const pid = new Int32Array(1);
      const errno = Number(spawn.spawn(pid, path, actions, attributes, [...argv, null], [...environment, null]));
      return errno === 0 ? (pid[0] ?? 0) : -errno;
    } finally {
      spawn.destroyActions(actions);
    }
  };
}

// Looked up late: a libc without one of them is no reason not to start.
// oxlint-disable-next-line explicit-function-return-type
function declareSpawn() {
  return {
    spawn: libc.func(
      "int posix_spawn(void *pid, const char *path, const void *actions, const void *attributes, const char **argv, const char **environment)",
    ),
    initAttributes: libc.func("int posix_spawnattr_init(void *attributes)"),
    setFlags: libc.func("int posix_spawnattr_setflags(void *attributes, short flags)"),
    setMask: libc.func("int posix_spawnattr_setsigmask(void *attributes, const void *signals)"),
    setDefault: libc.func("int posix_spawnattr_setsigdefault(void *attributes, const void *signals)"),
    initActions: libc.func("int posix_spawn_file_actions_init(void *actions)"),
    destroyActions: libc.func("int posix_spawn_file_actions_destroy(void *actions)"),
    addOpen: libc.func(
      "int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, uint32_t mode)",
    ),
    addDup2: libc.func("int posix_spawn_file_actions_adddup2(void *actions, int fd, int newFd)"),
    addChdir: libc.func("int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)"),
  };
}

/** Opens a pipe, both ends close-on-exec; to read from it never waits. */
export function openPipe(): { readonly reader: Fd; readonly writer: Fd } {
  const fds = new Int32Array(2);
  checked("pipe2", calls.pipe2(fds, O_CLOEXEC));
  const [reader = -1, writer = -1] = fds;
  checked("fcntl", calls.fcntl(reader, F_SETFL, O_NONBLOCK));
  return { reader, writer };
}

/** Opens a descriptor, close-on-exec, that becomes readable when the process ends. Throws "kernel": ESRCH, or ENOSYS before Linux 5.3. */
export function openPidfd(pid: number): Fd {
  return checked("pidfd_open", calls.syscall(SYS_PIDFD_OPEN, pid, 0));
}

/** Whether a process group has a member; a zombie counts. */
export function groupExists(leader: number): boolean {
  return calls.kill(-leader, 0) === 0 || koffi.errno() !== ESRCH;
}

/** Kills a process group; one that is gone, or not ours any more, is let be. */
export function killGroup(leader: number): void {
  calls.kill(-leader, SIGKILL);
}

const status = new Int32Array(1);

/** Takes in the end of a child: its wait status (waitpid(2)); undefined: it has not ended. */
export function reap(pid: number): number | undefined {
  const answer = checked("waitpid", calls.waitpid(pid, status, WNOHANG));
  return answer === 0 ? undefined : status[0];
}

/** The calls of spawn.h answer with the errno. */
function succeed(call: string, answer: unknown): void {
  if (answer !== 0) throw kernelError(call, Number(answer));
}

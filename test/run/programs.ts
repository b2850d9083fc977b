// The programs of the system that the tests call, and where Debian has them.

import { spawnSync } from "node:child_process";
import process from "node:process";

const PACKAGES: Readonly<Record<string, string>> = {
  ip: "iproute2",
  setpriv: "util-linux",
  unshare: "util-linux",
  nsenter: "util-linux",
  "systemd-analyze": "systemd",
  mount: "mount",
  fsfreeze: "util-linux",
  "mkfs.ext4": "e2fsprogs",
  nft: "nftables",
  sysctl: "procps",
  ps: "procps",
  git: "git",
  openssl: "openssl",
  etcd: "etcd-server",
  etcdctl: "etcd-client",
  "redis-server": "redis-server",
  "redis-cli": "redis-tools",
  nginx: "nginx-light",
};

/** What only some tests call: without it they are skipped, and that is told. */
const OPTIONAL: Readonly<Record<string, string>> = { keepalived: "keepalived", tshark: "tshark" };

/** Installs what is missing, as root on Debian; else says what to do. False when something that all need is still missing. */
export function checkPrograms(): boolean {
  // Debian keeps some where the PATH of a plain login does not look.
  process.env["PATH"] = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  const missing = [...absent(PACKAGES), ...absent(OPTIONAL)];
  if (missing.length === 0) return true;
  const packages = [...new Set(missing.map((program) => PACKAGES[program] ?? OPTIONAL[program] ?? program))];
  const command = ["apt-get", "install", "-y", "--no-install-recommends", ...packages];
  if (process.getuid?.() === 0 && has("apt-get")) {
    process.stdout.write(`installing ${packages.join(", ")} ...\n`);
    withoutServices(() => {
      spawnSync("apt-get", ["update", "-qq"], { stdio: ["ignore", "ignore", "inherit"] });
      spawnSync(command[0] ?? "", command.slice(1), {
        stdio: ["ignore", "ignore", "inherit"],
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      });
    });
  }
  const still = absent(PACKAGES);
  if (still.length > 0)
    process.stderr.write(`these programs are missing: ${still.join(", ")}; install them: ${command.join(" ")}\n`);
  return still.length === 0;
}

/** What to install where this program is missing, which only some tests need; `undefined`: it is there. */
export function missingProgram(program: string): string | undefined {
  return has(program) ? undefined : `${program} is missing: apt-get install ${OPTIONAL[program] ?? program}`;
}

function absent(programs: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(programs).filter((program) => !has(program));
}

/** Servers that are installed for tests shall not be started as services: the tests start their own. */
function withoutServices(run: () => void): void {
  const policy = "/usr/sbin/policy-rc.d";
  const had = spawnSync("test", ["-e", policy]).status === 0;
  if (!had) spawnSync("sh", ["-c", `printf '#!/bin/sh\\nexit 101\\n' > ${policy} && chmod +x ${policy}`]);
  try {
    run();
  } finally {
    if (!had) spawnSync("rm", ["-f", policy]);
  }
}

function has(program: string): boolean {
  return spawnSync("sh", ["-c", `command -v "${program}"`]).status === 0;
}

// The claim on disk: when a daemon takes up that of the process before it, and what it does not trust.

import {
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  chmodSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isVipdError } from "../../../src/base/errors.ts";
import { type IdentityDeps, openIdentity } from "../../../src/node/identity.ts";
import type { IdentityKeeper } from "../../../src/ports/identity.ts";

const OWN_UID = process.getuid?.() ?? 0;
const WHO = { node: "n1", fleet: "f" };

let base = "";
let stateDir = "";
let made = 0;
let released = 0;
let troubles: string[] = [];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "vipd-identity-"));
  stateDir = join(base, "state");
  [made, released, troubles] = [0, 0, []];
});

afterEach(() => rmSync(base, { recursive: true, force: true }));

function deps(change: Partial<IdentityDeps> = {}): IdentityDeps {
  return {
    entropy: { uniqueId: () => `unique-${(made += 1)}` },
    lockFile: () => ({ fileId: "8:1:1", release: () => void (released += 1) }),
    bootId: "boot-1",
    sleptMs: () => 1_000,
    networkNamespace: "4:100",
    uid: OWN_UID,
    onTrouble: (message) => troubles.push(message),
    ...change,
  };
}

function open(change: Partial<IdentityDeps> = {}, who: Partial<typeof WHO> = {}): IdentityKeeper {
  return openIdentity({ stateDir, ...WHO, ...who }, deps(change));
}

function claimPath(): string {
  return join(stateDir, "incarnation.json");
}

function onDisk(): unknown {
  return JSON.parse(readFileSync(claimPath(), "utf8"));
}

/** The error that `run` throws. */
function errorOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("a claim", () => {
  test("is made anew on a host without one, for its owner alone to read", () => {
    const identity = open();
    expect(identity).toMatchObject({ incarnation: "unique-1", adopt: false, knownTtlMs: 0 });
    expect(onDisk()).toEqual({
      incarnation: "unique-1",
      bootId: "boot-1",
      sleptMs: 1_000,
      networkNamespace: "4:100",
      lockFile: "8:1:1",
      node: "n1",
      fleet: "f",
      knownTtlMs: 0,
    });
    expect(statSync(claimPath()).mode & 0o777).toBe(0o600);
    expect(statSync(stateDir).mode & 0o022).toBe(0);
  });

  test("of the process before is taken up", () => {
    const { incarnation } = open();
    expect(open()).toMatchObject({ incarnation, adopt: true });
    expect(made).toBe(1);
  });

  test.each<{ name: string; change: Partial<IdentityDeps>; who?: Partial<typeof WHO> }>([
    { name: "from before a reboot", change: { bootId: "boot-2" } },
    { name: "from another network namespace", change: { networkNamespace: "4:200" } },
    { name: "from before the machine slept", change: { sleptMs: () => 1_500 } },
    {
      name: "that came with a copy of the directory, whose lock file is another",
      change: { lockFile: () => ({ fileId: "8:2:1", release: () => {} }) },
    },
    { name: "of another node", change: {}, who: { node: "n2" } },
    { name: "in another fleet", change: {}, who: { fleet: "g" } },
  ])("$name is not taken up", ({ change, who }) => {
    open();
    expect(open(change, who)).toMatchObject({ incarnation: "unique-2", adopt: false });
    expect(open(change, who)).toMatchObject({ incarnation: "unique-2", adopt: true });
  });

  test("of a machine that has slept is taken up once its fence was set after that", () => {
    let sleptMs = 1_000;
    const identity = open({ sleptMs: () => sleptMs });
    sleptMs = 61_000;
    identity.fenceWasSet();
    expect(onDisk()).toMatchObject({ incarnation: "unique-1", sleptMs: 61_000 });
    expect(open({ sleptMs: () => sleptMs })).toMatchObject({ incarnation: "unique-1", adopt: true });
  });

  test("is not written at each heartbeat of a machine that does not sleep", () => {
    let sleptMs = 1_000;
    const identity = open({ sleptMs: () => (sleptMs += 0.01) });
    const { ino } = statSync(claimPath());
    for (let heartbeat = 0; heartbeat < 5; heartbeat += 1) identity.fenceWasSet();
    expect(statSync(claimPath()).ino).toBe(ino);
  });

  test("that is renewed is on disk when the call returns", () => {
    const identity = open();
    expect(identity.renew()).toBe("unique-2");
    expect(onDisk()).toMatchObject({ incarnation: "unique-2" });
    expect(open()).toMatchObject({ incarnation: "unique-2", adopt: true });
  });

  test("keeps the fleet's longest lease over a renewal, a restart and a reboot, but not for another fleet", () => {
    const identity = open();
    identity.rememberTtl(9_000);
    identity.renew();
    expect(onDisk()).toMatchObject({ incarnation: "unique-2", knownTtlMs: 9_000 });
    expect(open().knownTtlMs).toBe(9_000);
    expect(open({ bootId: "boot-2" }).knownTtlMs).toBe(9_000);
    expect(open({}, { fleet: "g" }).knownTtlMs).toBe(0);
  });

  test("leaves the lock to the next daemon when it is released", () => {
    open().release();
    expect(released).toBe(1);
  });
});

describe("a claim that cannot be read is none", () => {
  const valid = {
    incarnation: "stolen",
    bootId: "boot-1",
    sleptMs: 1_000,
    networkNamespace: "4:100",
    lockFile: "8:1:1",
    node: "n1",
    fleet: "f",
    knownTtlMs: 0,
  };

  test.each<[string, string]>([
    ["empty", ""],
    ["torn", JSON.stringify(valid).slice(0, 40)],
    ["not JSON", "incarnation: stolen"],
    ["not an object", "[]"],
    ["without a boot", JSON.stringify({ ...valid, bootId: undefined })],
    ["with an empty incarnation", JSON.stringify({ ...valid, incarnation: "" })],
    ["with an incarnation that no store would take", JSON.stringify({ ...valid, incarnation: "x".repeat(65) })],
    ["with a negative lease", JSON.stringify({ ...valid, knownTtlMs: -1 })],
    ["too long", JSON.stringify({ ...valid, more: "x".repeat(16 * 1024) })],
  ])("%s", (_name, text) => {
    mkdirSync(stateDir, { mode: 0o750 });
    writeFileSync(claimPath(), text);
    expect(open()).toMatchObject({ incarnation: "unique-1", adopt: false });
    expect(onDisk()).toMatchObject({ incarnation: "unique-1" });
    expect(troubles).toEqual([]);
  });

  test("a symbolic link, also to a valid claim; what it points to stays as it is", () => {
    mkdirSync(stateDir, { mode: 0o750 });
    const elsewhere = join(base, "elsewhere");
    writeFileSync(elsewhere, JSON.stringify(valid));
    symlinkSync(elsewhere, claimPath());
    expect(open()).toMatchObject({ incarnation: "unique-1", adopt: false });
    expect(JSON.parse(readFileSync(elsewhere, "utf8"))).toEqual(valid);
    expect(lstatSync(claimPath()).isFile()).toBe(true);
  });
});

describe("writing", () => {
  test("does not follow a link that stands where the draft goes", () => {
    mkdirSync(stateDir, { mode: 0o750 });
    const precious = join(base, "precious");
    writeFileSync(precious, "precious");
    symlinkSync(precious, `${claimPath()}.new`);
    expect(open().incarnation).toBe("unique-1");
    expect(readFileSync(precious, "utf8")).toBe("precious");
    expect(onDisk()).toMatchObject({ incarnation: "unique-1" });
  });

  test("leaves no draft behind", () => {
    open().renew();
    expect(errorOf(() => lstatSync(`${claimPath()}.new`))).toMatchObject({ code: "ENOENT" });
  });

  test("that fails is told, and the daemon goes on with a claim that no other one takes up", () => {
    mkdirSync(claimPath(), { recursive: true, mode: 0o750 });
    const identity = open();
    expect(identity).toMatchObject({ incarnation: "unique-1", adopt: false });
    expect(identity.renew()).toBe("unique-2");
    expect(troubles).toHaveLength(2);
    expect(troubles[0]).toMatch(/incarnation\.json cannot be written \(.+\): a restart will not take up the lease/u);
    expect(open()).toMatchObject({ incarnation: "unique-3", adopt: false });
  });
});

describe("the state directory", () => {
  test("of a living daemon is refused, before its claim is touched", () => {
    open();
    const error = errorOf(() => open({ lockFile: () => "busy", bootId: "boot-2" }));
    expect(isVipdError(error, "already-running")).toBe(true);
    expect(onDisk()).toMatchObject({ incarnation: "unique-1", bootId: "boot-1" });
  });

  test("is locked by a file in it", () => {
    const paths: string[] = [];
    open({
      lockFile: (path) => {
        paths.push(path);
        return { fileId: "8:1:1", release: () => {} };
      },
    });
    expect(paths).toEqual([join(stateDir, "vipd.lock")]);
  });

  test.each<{ name: string; prepare: () => void; says: RegExp }>([
    {
      name: "is a symbolic link",
      prepare: () => {
        mkdirSync(join(base, "real"), { mode: 0o750 });
        symlinkSync(join(base, "real"), stateDir);
      },
      says: /is not a directory \(or is a symbolic link\)/u,
    },
    {
      name: "may be written to by its group",
      prepare: () => {
        mkdirSync(stateDir);
        chmodSync(stateDir, 0o770);
      },
      says: /may be written to by others \(mode 770\); chmod 0750/u,
    },
    {
      name: "may be written to by everybody, as /tmp",
      prepare: () => {
        mkdirSync(stateDir);
        chmodSync(stateDir, 0o1777);
      },
      says: /may be written to by others \(mode 1777\)/u,
    },
  ])("is refused when it $name: nothing is written", ({ prepare, says }) => {
    prepare();
    const error = errorOf(() => open());
    expect(isVipdError(error, "config")).toBe(true);
    expect(String(error)).toMatch(says);
    expect(errorOf(() => lstatSync(claimPath()))).toMatchObject({ code: "ENOENT" });
  });

  test("is refused when it belongs to another user", () => {
    mkdirSync(stateDir, { mode: 0o750 });
    // Root may give the directory away; anybody else claims to be another user.
    if (OWN_UID === 0) chownSync(stateDir, 12_345, 12_345);
    const error = errorOf(() => open({ uid: OWN_UID === 0 ? 0 : OWN_UID + 1 }));
    expect(isVipdError(error, "config")).toBe(true);
    expect(String(error)).toMatch(/belongs to user \d+; chown it to user \d+/u);
  });

  test("that cannot be made is told with what would help", () => {
    writeFileSync(stateDir, "a file");
    const error = errorOf(() => openIdentity({ stateDir: join(stateDir, "below"), ...WHO }, deps()));
    expect(isVipdError(error, "state-dir")).toBe(true);
    expect(String(error)).toMatch(
      /cannot make the state directory .+; free its disk, make it writable for vipd, or set stateDir/u,
    );
  });
});

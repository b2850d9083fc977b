import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { trustCommand, weakness } from "../../../src/process/trust.ts";
import { useScripts } from "./scripts.ts";

// Tests run as root; these are other people.
const ALICE = 12_345;
const MALLORY = 23_456;

const scripts = useScripts();

/** A program in a directory of its own, within the test's directory in /tmp, which is sticky. */
function program(): { readonly directory: string; readonly path: string } {
  const directory = scripts().path("dir");
  mkdirSync(directory);
  const path = `${directory}/hook`;
  writeFileSync(path, "#!/bin/sh\n", { mode: 0o755 });
  return { directory, path };
}

describe("a program that only root and its user may change", () => {
  test.each([
    { name: "root's", change: (_path: string) => {} },
    { name: "its user's own", change: (path: string) => chownSync(path, ALICE, ALICE) },
    { name: "one that root's group may write to", change: (path: string) => chmodSync(path, 0o775) },
  ])("is trusted: $name", ({ change }) => {
    const { path } = program();
    change(path);
    expect(weakness(path, ALICE)).toBeUndefined();
    expect(trustCommand([path], ALICE)).toEqual({ trusted: true, program: path });
  });

  test("is trusted in a directory of its user, and in a sticky one of root", () => {
    const { directory, path } = program();
    chownSync(directory, ALICE, ALICE);
    chownSync(path, ALICE, ALICE);
    expect(weakness(path, ALICE)).toBeUndefined();
    chownSync(directory, 0, 0);
    chmodSync(directory, 0o1777);
    expect(weakness(path, ALICE)).toBeUndefined();
  });

  test("is trusted behind symbolic links, also relative ones", () => {
    const { path } = program();
    symlinkSync("dir/hook", scripts().path("link"));
    symlinkSync("link", scripts().path("link2"));
    expect(weakness(scripts().path("link2"), ALICE)).toBeUndefined();
    expect(path).toContain("dir/hook");
  });

  test("is trusted when the host has it: every program of the system", () => {
    for (const argv of [["true"], ["/bin/sh", "-c", "exit 0"], ["sh", "-c", "/tmp/x | /tmp/y"], ["/usr/bin/env"]])
      expect(trustCommand(argv, 0)).toMatchObject({ trusted: true });
  });
});

describe("a program that others may change", () => {
  test.each([
    {
      name: "all may write to it",
      change: (path: string) => chmodSync(path, 0o757),
      why: /all may write to \S+hook: chmod go-w \S+hook$/u,
    },
    {
      name: "its group may write to it",
      change: (path: string) => {
        chownSync(path, 0, MALLORY);
        chmodSync(path, 0o775);
      },
      why: /group 23456 may write to \S+hook: chmod g-w \S+hook$/u,
    },
    {
      name: "it belongs to somebody else",
      change: (path: string) => chownSync(path, MALLORY, 0),
      why: /hook belongs to uid 23456, who may change it: chown root \S+hook$/u,
    },
    {
      name: "all may write to its directory",
      change: (_path: string, directory: string) => chmodSync(directory, 0o777),
      why: /all may write to \S+dir: chmod go-w \S+dir$/u,
    },
    {
      name: "its directory belongs to somebody else, sticky or not",
      change: (_path: string, directory: string) => {
        chownSync(directory, MALLORY, 0);
        chmodSync(directory, 0o1777);
      },
      why: /dir belongs to uid 23456/u,
    },
    {
      name: "somebody else's, in a sticky directory",
      change: (path: string, directory: string) => {
        chmodSync(directory, 0o1777);
        chownSync(path, MALLORY, 0);
      },
      why: /hook belongs to uid 23456/u,
    },
  ])("is refused, and the reason says where and what to do: $name", ({ change, why }) => {
    const { directory, path } = program();
    change(path, directory);
    expect(weakness(path, ALICE)).toMatch(why);
    expect(trustCommand([path], ALICE)).toMatchObject({ trusted: false, why: expect.stringMatching(why) });
  });

  test("is refused behind a link: for where it leads, and for the link itself in a sticky directory", () => {
    const { path, directory } = program();
    chmodSync(path, 0o777);
    symlinkSync(path, scripts().path("link"));
    expect(weakness(scripts().path("link"), 0)).toMatch(/all may write to \S+dir\/hook/u);
    chmodSync(path, 0o755);
    expect(weakness(scripts().path("link"), 0)).toBeUndefined();
    chmodSync(directory, 0o1777);
    symlinkSync("/bin/true", `${directory}/other`);
    lchownSync(`${directory}/other`, MALLORY, 0);
    expect(weakness(`${directory}/other`, 0)).toMatch(/other belongs to uid 23456, in a directory that all/u);
  });

  test("is refused when links lead in a circle, or nowhere", () => {
    symlinkSync("b", scripts().path("a"));
    symlinkSync("a", scripts().path("b"));
    expect(weakness(scripts().path("a"), 0)).toMatch(/too many symbolic links/u);
    expect(trustCommand([scripts().path("a")], 0)).toMatchObject({ trusted: false });
    symlinkSync("/nonexistent", scripts().path("c"));
    expect(trustCommand([scripts().path("c")], 0)).toMatchObject({ why: expect.stringMatching(/no program/u) });
  });

  test("is refused as the script of an interpreter too", () => {
    const { path } = program();
    chmodSync(path, 0o777);
    const why = { trusted: false, why: expect.stringMatching(/all may write to \S+hook/u) };
    expect(trustCommand(["/bin/sh", path], 0)).toMatchObject(why);
    expect(trustCommand(["bash", "-eu", path, "-c"], 0)).toMatchObject(why);
    expect(trustCommand(["perl", "-w", path], 0)).toMatchObject(why);
    expect(trustCommand(["sh", "-ec", `${path} now`], 0), "a command text is no path").toMatchObject({
      trusted: true,
    });
    expect(trustCommand(["cat", path], 0), "what is only read is no script").toMatchObject({ trusted: true });
  });
});

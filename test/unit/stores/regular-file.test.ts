// Files that people name: what is no regular file, or too large, is refused before it is read.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { directoryTrouble, exposureOf, readRegularFile } from "../../../adapters/common/regular-file.ts";
import { adapterFor } from "../../../src/stores/index.ts";

let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vdr-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function file(text: string, mode = 0o600): string {
  const path = join(directory, "file");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function pipe(): string {
  const path = join(directory, "pipe");
  execFileSync("mkfifo", [path]);
  return path;
}

test("a regular file is read whole, up to the bound", () => {
  const path = file("12345");
  expect(new TextDecoder().decode(readRegularFile(path, 5))).toBe("12345");
  expect(() => readRegularFile(path, 4)).toThrow(`${path} is larger than 4 bytes: is it the right file?`);
});

test("a pipe, a directory and a device are refused at once", () => {
  expect(() => readRegularFile(pipe(), 5)).toThrow("is a pipe: give a regular file");
  mkdirSync(join(directory, "d"));
  expect(() => readRegularFile(join(directory, "d"), 5)).toThrow("is a directory: give a regular file");
  expect(() => readRegularFile("/dev/zero", 5)).toThrow("is a device or a socket: give a regular file");
});

test("a file that tells no size is bounded all the same", () => {
  expect(readRegularFile("/proc/self/stat", 65_536).length).toBeGreaterThan(10);
  expect(() => readRegularFile("/proc/self/stat", 5)).toThrow("is larger than 5 bytes");
});

test("a password in a pipe, or in a file that is too large, is a mistake of the store URL", () => {
  const check = (path: string): unknown => adapterFor("redis:")?.check(`redis://me@h?passwordFile=${path}`);
  expect(() => check(pipe())).toThrow(/names a file for passwordFile: .*pipe is a pipe/u);
  expect(() => check(file("x".repeat(300_000)))).toThrow(/is larger than 262144 bytes/u);
});

test.each([
  [0o600, false, false],
  [0o640, false, false],
  [0o644, true, false],
  [0o660, false, true],
  [0o602, false, true],
])("who else may read or write a file of mode %o", (mode, othersRead, othersWrite) => {
  expect(exposureOf(file("x", mode))).toEqual({ othersRead, othersWrite });
});

test("a directory that others may write to, and what is no directory, are not trusted", () => {
  const path = join(directory, "state");
  expect(directoryTrouble(path)).toBeUndefined();
  mkdirSync(path);
  for (const [mode, told] of [
    [0o750, undefined],
    [0o777, "may be written to by others (mode 777)"],
    [0o1777, "may be written to by others (mode 1777)"],
    [0o770, "may be written to by others (mode 770)"],
  ] as const) {
    chmodSync(path, mode);
    expect(directoryTrouble(path)?.problem).toBe(told);
  }
  symlinkSync(path, join(directory, "link"));
  expect(directoryTrouble(join(directory, "link"))?.problem).toContain("symbolic link");
  expect(directoryTrouble(file("x"))?.problem).toContain("is not a directory");
});

test.each([
  ["redis+sentinel://me@h/x?passwordFile=/a&sentinelPasswordFile=/b", ["/a", "/b"]],
  ["etcds://h?ca=/ca&cert=/cert&key=/key", ["/key"]],
  ["sqlite:/a.db", []],
])("the secret files of %s", (url, files) => {
  expect(adapterFor(url)?.secretFiles(url)).toEqual(files);
});

// The manual pages name every option, command, exit code and key of the programs.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VIPCTL_EXIT_CODES, VIPD_EXIT_CODES } from "../../../src/cli/exit-codes.ts";
import { handleVipdArguments } from "../../../src/cli/vipd-arguments.ts";
import { knownKeys } from "../../../src/config/schema.ts";
import { Desk } from "./desk.ts";

/** A page as it is written, and what it says without its markup. */
function page(name: string): { readonly source: string; readonly words: ReadonlySet<string> } {
  const source = readFileSync(`docs/${name}`, "utf8");
  return { source, words: new Set(source.split(/[\s,;:|()]+/u)) };
}

/** The long options that a help text tells, without their dashes. */
function optionsOf(help: string): readonly string[] {
  return [...help.matchAll(/(?<=[ ,])--([a-z][a-z-]*)/gu)].map((match) => match[1] ?? "");
}

function exitCodesOf({ source }: { readonly source: string }): readonly string[] {
  const section = source.slice(source.indexOf(".Sh EXIT STATUS"));
  return [...section.matchAll(/^\.It (\d+)$/gmu)].map((match) => match[1] ?? "");
}

test("vipd(8): options and exit codes", async () => {
  const desk = new Desk();
  await handleVipdArguments(["--help"], desk.deps);
  const manual = page("vipd.8");
  for (const option of optionsOf(desk.out.text)) expect(manual.source).toContain(`Fl -${option}`);
  expect(exitCodesOf(manual)).toEqual(VIPD_EXIT_CODES.map(([code]) => String(code)));
  const unavailable = VIPD_EXIT_CODES.find(([code]) => code === 69)?.[1] ?? "no such code";
  expect(manual.source).toContain(`.It 69\n${unavailable}\n`);
  const signals = [...desk.out.text.matchAll(/^ {2}(?:[A-Z0-9]+(?:, )?)+(?= {2})/gmu)].flatMap(
    ([names]) => names.match(/[A-Z][A-Z0-9]+/gu) ?? [],
  );
  expect(signals).toEqual(["TERM", "INT", "HUP", "USR2"]);
  for (const signal of signals) expect(manual.source).toContain(`SIG${signal}`);
});

test("vipctl(8): commands, their options, and exit codes", async () => {
  const manual = page("vipctl.8");
  const helped = new Set(["help", "version"]);
  for (const command of [
    "who-owns",
    "status",
    "checks",
    "history",
    "step-down",
    "maintenance",
    "resume",
    "repair",
    "doctor",
    "vrrp listen",
    "realserver up",
    "realserver down",
    "realserver show",
    "version",
  ]) {
    const desk = new Desk();
    await desk.vipctl(...command.split(" "), "--help");
    expect(manual.source).toContain(`.Cm ${command}`);
    for (const option of optionsOf(desk.out.text))
      if (!helped.has(option)) expect(manual.source, command).toContain(`Fl -${option}`);
  }
  expect(exitCodesOf(manual)).toEqual(VIPCTL_EXIT_CODES.map(([code]) => String(code)));
  expect(manual.source).toContain(".Cm doctor :\na failure was found");
});

test("vipd.yaml(5): every key", () => {
  const { words } = page("vipd.yaml.5");
  const group = (path: readonly string[], prefix = ""): readonly string[] =>
    (knownKeys(path) ?? []).map((key) => `${prefix}${key}`);
  const keys = [
    ...group([]).filter((key) => key !== "admin" && key !== "log"),
    ...group(["admin"], "admin."),
    ...group(["log"], "log."),
    ...group(["realServers", "web"]),
    ...group(["vips", "web"]).filter((key) => key !== "announce"),
    ...group(["vips", "web", "announce"], "announce."),
    ...group(["checks", "nginx"]),
    ...group(["checks", "nginx", "recover"]),
    ...group(["hooks"]),
    ...[...group(["webhook"]), ...group(["mail"])].filter((key) => !["url", "host", "from", "to"].includes(key)),
  ];
  expect(keys.length).toBeGreaterThan(15);
  expect(keys.filter((key) => !words.has(key))).toEqual([]);
});

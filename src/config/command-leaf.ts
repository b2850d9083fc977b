// Commands in the configuration: a list of the program and its arguments, never a line for a shell.

import { leaf, notThat, type Reading } from "./leaf.ts";

const EXAMPLE = "a list of the program and its arguments, such as [systemctl, restart, nginx]";

/** execve(2) takes much more; a configuration that needs more wants a script. */
const MAX_ARGUMENTS = 64;
const MAX_ARGUMENT_LENGTH = 4_096;

/** A program and its arguments. Numbers, which YAML reads as such, are taken as they are written. */
export function command(description: string): ReturnType<typeof leaf<readonly string[]>> {
  const items = { type: ["string", "number"] };
  return leaf<readonly string[]>({ type: "array", items, minItems: 1, description }, readCommand);
}

function readCommand(input: unknown): Reading<readonly string[]> {
  if (typeof input === "string") return asList(input);
  if (!Array.isArray(input)) return notThat(input, EXAMPLE);
  const words: readonly unknown[] = input;
  if (words.length === 0) return { problem: "is an empty list", fix: `give ${EXAMPLE}` };
  if (words.length > MAX_ARGUMENTS)
    return { problem: `holds ${words.length} words`, fix: `keep it within ${MAX_ARGUMENTS}, or write a script` };
  const argv = words.flatMap((word) => (typeof word === "string" || typeof word === "number" ? [String(word)] : []));
  if (argv.length < words.length) return { problem: "holds something that is no text", fix: `give ${EXAMPLE}` };
  return wrongWord(argv) ?? { value: argv };
}

function asList(input: string): Reading<readonly string[]> {
  const words = input.trim().split(/\s+/u).join(", ");
  return { problem: "is a text, and no shell takes it apart", fix: `write a list: [${words}]` };
}

function wrongWord(argv: readonly string[]): { readonly problem: string; readonly fix: string } | undefined {
  const [program = ""] = argv;
  if (argv.some((word) => word.includes("\0"))) return { problem: "holds a NUL character", fix: "remove it" };
  if (argv.some((word) => word.length > MAX_ARGUMENT_LENGTH))
    return { problem: `has an argument of more than ${MAX_ARGUMENT_LENGTH} characters`, fix: "write a script" };
  if (program === "" || (program.includes("/") && !program.startsWith("/")))
    return {
      problem: `begins with ${JSON.stringify(program)}, which is no program`,
      fix: "name it by its absolute path, or by a name without '/'",
    };
  return undefined;
}

/** Whom a command runs as. YAML reads a bare number as such. */
export const commandUser = leaf<string>(
  {
    type: ["string", "integer"],
    description: "Whom the command runs as: name, name:group, uid or uid:gid; default: the daemon's user",
  },
  (input) => {
    const given = typeof input === "number" ? String(input) : input;
    if (typeof given !== "string") return notThat(input, "a user such as nobody or nobody:nogroup");
    if (/^[^\s:]{1,64}(?::[^\s:]{1,64})?$/u.test(given)) return { value: given };
    return { problem: "is no user", fix: "use name, name:group, uid or uid:gid" };
  },
);

// The names people give to nodes, fleets and elections: they become parts of store keys.

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/u;

/** What a name may be, in words, for error messages. */
export const NAME_RULE = "1 to 63 letters, digits, '.', '_' or '-', beginning and ending with a letter or digit";

/** Whether `text` may name a node, a fleet or an election. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

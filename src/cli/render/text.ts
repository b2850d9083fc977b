// Text for terminals: colours only where they are wanted, nothing that a hostile record could steer with.

import type { Output } from "../deps.ts";

/** Ways to set text off; each returns the text as it is when colours are not wanted. */
export interface Style {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
}

const asIs = (text: string): string => text;

/** No colours. */
export const PLAIN: Style = { bold: asIs, dim: asIs, good: asIs, bad: asIs, warn: asIs };

const sgr =
  (on: number, off: number) =>
  (text: string): string =>
    `\u001b[${on}m${text}\u001b[${off}m`;

/** ANSI colours that are legible on light and dark. */
export const COLOURED: Style = {
  bold: sgr(1, 22),
  dim: sgr(2, 22),
  good: sgr(32, 39),
  bad: sgr(31, 39),
  warn: sgr(33, 39),
};

/** Colours on a terminal, unless NO_COLOR (https://no-color.org) or a dumb terminal says otherwise. */
export function styleFor(output: Output, env: Readonly<Record<string, string | undefined>>): Style {
  const refused = (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  return output.isTerminal && !refused ? COLOURED : PLAIN;
}

/** Control characters, and those that turn the direction of writing around. */
const STEERING = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** Text from elsewhere, on one line, unable to steer a terminal. */
export function escapeControl(text: string): string {
  return text.replaceAll(STEERING, "\u{fffd}");
}

/** JSON on one line, times in whole milliseconds; control characters that JSON lets through come out escaped. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, wholeMs).replaceAll(
    STEERING,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Clocks give fractions that nobody has asked for. */
function wholeMs(key: string, value: unknown): unknown {
  return key.endsWith("Ms") && typeof value === "number" ? Math.round(value) : value;
}

/** A cell of a table: its text, and how to set it off after its width is known. */
export interface Cell {
  readonly text: string;
  readonly style?: (text: string) => string;
}

/** Columns aligned on the left, two spaces apart; nothing trails. The first row is the heading. */
export function formatTable(rows: readonly (readonly Cell[])[]): string {
  const clean = rows.map((row) => row.map((cell) => ({ ...cell, text: escapeControl(cell.text) })));
  const columns = Math.max(0, ...clean.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...clean.map((row) => row[i]?.text.length ?? 0)));
  return clean.map((row) => formatRow(row, widths)).join("\n");
}

function formatRow(row: readonly Cell[], widths: readonly number[]): string {
  const lastFilled = row.findLastIndex((cell) => cell.text !== "");
  return row
    .slice(0, lastFilled + 1)
    .map((cell, i) => {
      const styled = cell.style === undefined || cell.text === "" ? cell.text : cell.style(cell.text);
      return i === lastFilled ? styled : styled + " ".repeat((widths[i] ?? 0) - cell.text.length + 2);
    })
    .join("");
}

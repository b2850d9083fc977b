import type { fine } from "../ports/fine.ts";
export type Fine = typeof fine;

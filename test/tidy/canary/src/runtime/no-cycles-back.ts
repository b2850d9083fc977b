import "./no-cycles.ts";
export const back = 1;

import "./no-cycles-back.ts";
export const forth = 1;

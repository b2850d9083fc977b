// Breaks what weight.test.ts holds.
export { request } from "node:http";

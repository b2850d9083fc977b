export type { fine } from "../config/fine.ts";

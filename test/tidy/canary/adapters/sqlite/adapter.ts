export const open = (): Promise<unknown> => import("./index.ts");

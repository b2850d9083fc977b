export const load = (): Promise<unknown> => import("../../adapters/linux/fine.ts");

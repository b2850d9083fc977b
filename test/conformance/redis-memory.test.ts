import { redisConformance, startAlone } from "./redis-harness.ts";

redisConformance("redis (nothing on disk)", () => startAlone(["--appendonly", "no"]), { restartKeepsData: false });

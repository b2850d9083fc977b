import { DURABLE } from "../servers/redis.ts";
import { redisConformance, startAlone } from "./redis-harness.ts";

redisConformance("redis", () => startAlone(DURABLE));

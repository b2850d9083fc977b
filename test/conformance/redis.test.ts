// One Redis that writes everything down, under the conformance suite.

import { DURABLE } from "../servers/redis.ts";
import { singleRedisConformance } from "./redis-harness.ts";

singleRedisConformance("redis", DURABLE);

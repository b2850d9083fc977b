// A Redis Cluster under the conformance suite.

import { startRedisCluster } from "../servers/redis-groups.ts";
import { redisConformance } from "./redis-harness.ts";

redisConformance("redis (Cluster of three)", () => startRedisCluster());

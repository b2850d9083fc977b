// A Redis with replicas and Sentinels under the conformance suite.

import { startSentinelGroup } from "../servers/redis-groups.ts";
import { redisConformance } from "./redis-harness.ts";

/** The suite lets servers hang and restart; who then leads is not what it is about. */
const PATIENT_SENTINELS_MS = 60_000;

redisConformance("redis (Sentinel, two replicas)", () => startSentinelGroup({ downAfterMs: PATIENT_SENTINELS_MS }));

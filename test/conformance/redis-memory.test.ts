// One Redis that forgets everything when it ends, under the conformance suite.

import { singleRedisConformance } from "./redis-harness.ts";

singleRedisConformance("redis (nothing on disk)", ["--appendonly", "no"], { restartKeepsData: false });

// One etcd under the conformance suite.

import { EtcdCluster } from "../servers/etcd.ts";
import { etcdConformance } from "./etcd-harness.ts";

etcdConformance("etcd", () => EtcdCluster.start(1));

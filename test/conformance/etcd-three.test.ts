// A cluster of three etcds under the conformance suite.

import { EtcdCluster } from "../servers/etcd.ts";
import { etcdConformance } from "./etcd-harness.ts";

etcdConformance("etcd (three members)", () => EtcdCluster.start(3));

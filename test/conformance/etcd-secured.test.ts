// An etcd that lets in only who has a certificate and a password, under the conformance suite.

import { EtcdCluster } from "../servers/etcd.ts";
import { etcdConformance } from "./etcd-harness.ts";

const PASSWORD = "a-password";

etcdConformance(
  "etcd (mutual TLS and authentication)",
  async () => {
    const cluster = await EtcdCluster.start(1, true);
    cluster.enableAuth(PASSWORD);
    return cluster;
  },
  (cluster) => cluster.enableAuth(PASSWORD),
);

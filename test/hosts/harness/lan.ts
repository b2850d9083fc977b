// A small network for tests: hosts and a client, each in a network namespace of its own, on one bridge in another.

import { Namespace, run } from "../../linux/namespaces.ts";

/** The network of the tests: 10.77.0.0/24 and 2001:db8:77::/64; nothing of it leaves the machine. */
const V4 = "10.77.0";
const V6 = "2001:db8:77:";

/** A machine on the LAN. */
export class Station {
  readonly name: string;
  readonly ip: string;
  readonly ip6: string;
  readonly mac: string;
  readonly namespace: Namespace;
  /** Its port on the switch. */
  readonly port: string;
  private readonly lan: Lan;
  private readonly number: number;

  constructor(lan: Lan, name: string, number: number) {
    this.lan = lan;
    this.name = name;
    this.ip = `${V4}.${number}`;
    this.ip6 = `${V6}:${number}`;
    this.mac = `02:00:00:00:00:${number.toString(16).padStart(2, "0")}`;
    this.port = `p${number}`;
    this.number = number;
    this.namespace = new Namespace(`n${number}`);
    this.connect();
  }

  /** Pulls the network cable: the interface loses its carrier. */
  pullCable(): void {
    this.lan.bridge.exec("ip", "link", "set", this.port, "down");
  }

  plugCable(): void {
    this.lan.bridge.exec("ip", "link", "set", this.port, "up");
  }

  /** Index of its port, in the switch's namespace. */
  get portIndex(): number {
    return Number(this.lan.bridge.exec("cat", `/sys/class/net/${this.port}/ifindex`).trim());
  }

  /** Takes the interface out; the result puts one back, with the same MAC and addresses, on the same port. */
  takeOut(): () => void {
    const index = this.portIndex;
    this.namespace.exec("ip", "link", "delete", "eth0");
    return () => this.connect("index", String(index));
  }

  private connect(...more: readonly string[]): void {
    const { namespace, lan, port, number } = this;
    const temporary = `${namespace.name.slice(0, 10)}e${number}`;
    lan.bridge.exec("ip", "link", "add", port, ...more, "type", "veth", "peer", "name", temporary);
    lan.bridge.exec("ip", "link", "set", temporary, "netns", namespace.name);
    namespace.exec("ip", "link", "set", temporary, "name", "eth0", "address", this.mac);
    namespace.exec("ip", "address", "add", `${this.ip}/24`, "dev", "eth0");
    namespace.exec("ip", "-6", "address", "add", `${this.ip6}/64`, "dev", "eth0", "nodad");
    namespace.exec("ip", "link", "set", "eth0", "up");
    lan.bridge.exec("ip", "link", "set", port, "master", "br0");
    lan.bridge.exec("ip", "link", "set", port, "up");
  }
}

/** The network. */
export class Lan {
  readonly bridge = new Namespace("sw");
  readonly hosts: readonly Station[];
  readonly client: Station;
  private readonly stations: Station[] = [];
  private servers = 0;

  constructor(hostNames: readonly string[]) {
    try {
      this.bridge.exec("ip", "link", "add", "br0", "type", "bridge", "stp_state", "0", "mcast_snooping", "0");
      this.bridge.exec("ip", "link", "set", "br0", "up");
      this.hosts = hostNames.map((name, i) => this.add(name, 11 + i));
      this.client = this.add("client", 100);
      // The client asks by ping sockets, which need no privilege, but a group.
      this.client.namespace.exec("sysctl", "-qw", "net.ipv4.ping_group_range=0 0");
    } catch (error) {
      this.close();
      throw error;
    }
  }

  machines(): readonly Station[] {
    return this.stations;
  }

  /** Adds a machine that is no host of the fleet, for a server. */
  addServer(): Station {
    this.servers += 1;
    return this.add(`server${this.servers}`, 30 + this.servers);
  }

  /** Removes everything; what is gone already is no error. */
  close(): void {
    for (const { name } of [...this.stations.map((station) => station.namespace), this.bridge])
      if (run("ip", "netns", "list").includes(name)) run("ip", "netns", "delete", name);
  }

  private add(name: string, number: number): Station {
    const station = new Station(this, name, number);
    this.stations.push(station);
    return station;
  }
}

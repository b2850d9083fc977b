// A TCP proxy before a server of a test: what clients send can be kept on its way, as a slow network does.

import { connect, createServer, type Server, type Socket } from "node:net";
import { HERE, waitFor } from "./machine.ts";

/** A proxy on the loopback interface, for a server on the loopback interface. */
export class Proxy {
  private readonly server: Server;
  private readonly links = new Set<Link>();
  private held = false;

  private constructor(target: number) {
    this.server = createServer((client) => {
      const link = new Link(client, connect(target, HERE.ip), () => this.held);
      this.links.add(link);
      link.onEnd = () => this.links.delete(link);
    });
  }

  /** Starts one before the server at this port. */
  static async start(target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((resolve) => proxy.server.listen(0, HERE.ip, resolve));
    return proxy;
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** Keeps what clients send from now on. */
  hold(): void {
    this.held = true;
  }

  /** Settles when something is kept. */
  async holds(): Promise<void> {
    await waitFor("a request is on its way", () => [...this.links].some(({ waiting }) => waiting > 0));
  }

  /** Delivers what was kept, also of clients that have hung up meanwhile. */
  release(): void {
    this.held = false;
    for (const link of this.links) link.deliver();
  }

  async close(): Promise<void> {
    for (const link of this.links) link.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** A client's connection, and the one to the server that belongs to it. */
class Link {
  onEnd: () => void = () => {};
  private readonly client: Socket;
  private readonly upstream: Socket;
  private readonly kept: Buffer[] = [];
  private readonly isHeld: () => boolean;
  private clientEnded = false;

  constructor(client: Socket, upstream: Socket, isHeld: () => boolean) {
    this.client = client;
    this.upstream = upstream;
    this.isHeld = isHeld;
    client.on("data", (bytes: Buffer) => {
      this.kept.push(bytes);
      this.deliver();
    });
    client.on("error", () => {});
    client.on("close", () => {
      this.clientEnded = true;
      this.deliver();
    });
    upstream.on("data", (bytes) => client.write(bytes));
    upstream.on("error", () => {});
    upstream.on("close", () => this.destroy());
  }

  get waiting(): number {
    return this.kept.length;
  }

  deliver(): void {
    if (this.isHeld()) return;
    for (const bytes of this.kept.splice(0)) this.upstream.write(bytes);
    if (this.clientEnded) this.upstream.end();
  }

  destroy(): void {
    this.client.destroy();
    this.upstream.destroy();
    this.onEnd();
  }
}

// One client for each endpoint, each without a retry, a breaker or a queue of its own; the next one is asked when one fails.

import { noop } from "cockatiel";
import { Etcd3, type IOptions } from "etcd3";
import { MAX_READ_BYTES, MAX_RECORDS } from "../../src/base/bounds.ts";
import { VipdError } from "../../src/base/errors.ts";
import type { CallLimits } from "../../src/ports/store.ts";
import { withTimeout } from "../common/with-timeout.ts";
import { fateOf } from "./failures.ts";
import type { EtcdOptions } from "./url.ts";

/** Signing in must not hang: the library gives it no deadline of its own. In milliseconds. */
const SIGN_IN_MS = 1_000;

/** The longest answer that is taken from etcd: keys and values, and what etcd says of each record besides. */
const MAX_ANSWER_BYTES = MAX_READ_BYTES + MAX_RECORDS * 64;

/** An endpoint with its client. */
export interface Endpoint {
  readonly address: string;
  readonly client: Etcd3;
}

/** How a call on one endpoint is limited. */
export interface Call {
  /** By the wall clock, as gRPC takes it. */
  readonly deadline: number;
}

/** All endpoints of a store. */
export class Endpoints {
  private readonly options: EtcdOptions;
  private readonly clients: (Endpoint | undefined)[];
  private current = 0;
  private closed = false;

  constructor(options: EtcdOptions) {
    this.options = options;
    this.clients = options.endpoints.map(() => undefined);
  }

  /** The endpoint that is asked next. */
  get address(): string {
    return this.options.endpoints[this.current] ?? "";
  }

  /** The client of the endpoint that is asked next. */
  use(): Endpoint {
    return this.at(this.current);
  }

  /** The clients of all endpoints. */
  all(): readonly Endpoint[] {
    return this.options.endpoints.map((_address, index) => this.at(index));
  }

  /** Asks another endpoint from now on. */
  rotate(): void {
    this.current = (this.current + 1) % this.options.endpoints.length;
  }

  /**
   * Calls one endpoint after the other, at most once each, while `mayMove` says of the error that the next one may be asked;
   * one call whose connection or token was found to be over, before it could have any effect, is made once more. Settles
   * within the limits; a call that is left behind ends by its own deadline.
   */
  async call<T>(
    limits: CallLimits,
    mayMove: (error: unknown) => boolean,
    run: (endpoint: Endpoint, attempt: Call) => Promise<T>,
  ): Promise<T> {
    const end = performance.now() + limits.timeoutMs;
    const share = limits.timeoutMs / this.options.endpoints.length;
    let begunAnew = false;
    for (let tries = 1; ; tries += 1) {
      const endpoint = this.use();
      const restMs = end - performance.now();
      try {
        const deadline = Date.now() + Math.max(1, Math.min(restMs, share));
        return await withTimeout(limits, () => run(endpoint, { deadline }), restMs);
      } catch (error) {
        // The caller's abort is not an endpoint failure.
        if (limits.signal?.aborted === true) throw error;
        const isOver = this.isOver(endpoint, error);
        if (!isOver) this.rotate();
        if (performance.now() >= end) throw error;
        if (isOver && !begunAnew) {
          begunAnew = true;
          tries -= 1;
        } else if (!mayMove(error) || tries >= this.options.endpoints.length) throw error;
      }
    }
  }

  close(): void {
    this.closed = true;
    for (const endpoint of this.clients) endpoint?.client.close();
    this.clients.fill(undefined);
  }

  private at(index: number): Endpoint {
    if (this.closed) throw new VipdError("store-unavailable", "the store has been closed");
    const address = this.options.endpoints[index] ?? "";
    return (this.clients[index] ??= { address, client: new Etcd3(clientOptions(this.options, address)) });
  }

  /**
   * Whether a call failed because the client's token or connection was over: then there is another one now. After a call
   * that was not answered the client is another one too: TCP would try ever more rarely to send on, and an etcd that has lost
   * its data keeps a call waiting until it has come as far as the old token says.
   */
  private isOver(endpoint: Endpoint, error: unknown): boolean {
    const fate = fateOf(error);
    if (fate === "signed-out" || fate === "unknown") this.drop(endpoint);
    return fate === "signed-out" || fate === "dropped";
  }

  private drop(endpoint: Endpoint): void {
    const index = this.clients.indexOf(endpoint);
    if (index >= 0) this.clients[index] = undefined;
    endpoint.client.close();
  }
}

function clientOptions({ tls, auth }: EtcdOptions, address: string): IOptions {
  const bytes = (data: Uint8Array | undefined): Buffer | undefined =>
    data === undefined ? undefined : Buffer.from(data);
  const [privateKey, certChain] = [bytes(tls?.key), bytes(tls?.cert)];
  return {
    hosts: `${tls === null ? "http" : "https"}://${address}`,
    ...(tls !== null && {
      credentials: {
        rootCertificate: bytes(tls.ca) as Buffer,
        ...(privateKey && { privateKey }),
        ...(certChain && { certChain }),
      },
    }),
    ...(auth !== null && { auth: { ...auth, callOptions: () => ({ deadline: Date.now() + SIGN_IN_MS }) } }),
    faultHandling: { host: () => noop, global: noop },
    grpcOptions: {
      // Else clients of the same endpoint share connections, and one's end is another's trouble.
      "grpc.use_local_subchannel_pool": 1,
      // A fleet with thousands of VIPs is read whole; the default is 4 MB.
      "grpc.max_receive_message_length": MAX_ANSWER_BYTES,
      // etcd hangs up on who pings more often than every 5 s, or without a call (--grpc-keepalive-min-time).
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 1_000,
      "grpc.keepalive_permit_without_calls": 0,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 300,
    },
  };
}

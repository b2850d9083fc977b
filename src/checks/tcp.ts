// The check of a TCP port: that somebody accepts, and, if wanted, says the right thing.

import { connect, type Socket } from "node:net";
import { type CheckResult, checkResult } from "../health/result.ts";
import { type ResolvedAddress, lookupFrom, resolveHost } from "../net/resolve.ts";
import { connectionFailure } from "../net/words.ts";
import type { TcpCheckOptions } from "../config/check-options.ts";
import type { Performer } from "./performer.ts";

/** The expected text must come within so many bytes. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** A check of these options. */
export function tcpPerformer(options: TcpCheckOptions): Performer {
  return {
    run: async (signal) => {
      const addresses = await resolveHost(options.host, signal);
      if (typeof addresses === "string") return checkResult("failed", addresses);
      return talk(options, addresses, signal);
    },
  };
}

function talk(
  options: TcpCheckOptions,
  addresses: readonly ResolvedAddress[],
  signal: AbortSignal,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: options.host, port: options.port, lookup: lookupFrom(addresses) });
    const settle = (result: CheckResult): void => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      resolve(result);
    };
    const fail = (reason: string): void => settle(checkResult("failed", reason));
    const onAbort = (): void => fail("stopped");
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("error", (error) => fail(connectionFailure(error)));
    socket.on("connect", () => connected(socket, options, settle));
    const { expect } = options;
    if (expect !== null) listen(socket, expect, settle);
  });
}

function connected(socket: Socket, { send, expect }: TcpCheckOptions, settle: (result: CheckResult) => void): void {
  const accepted = checkResult("ok", "connected");
  if (send === null) return expect === null ? settle(accepted) : undefined;
  socket.write(send, () => {
    if (expect === null) settle(accepted);
  });
}

function listen(socket: Socket, expect: string, settle: (result: CheckResult) => void): void {
  const wanted = Buffer.from(expect);
  let heard: Buffer = Buffer.alloc(0);
  const missing = (how: string): void =>
    settle(checkResult("failed", `connected, but ${JSON.stringify(expect)} did not come: ${how}`));
  socket.on("data", (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
    if (heard.includes(wanted)) settle(checkResult("ok", "connected, and it answered as expected"));
    else if (heard.length > MAX_ANSWER_BYTES) missing(`it was not in the first ${MAX_ANSWER_BYTES} bytes`);
  });
  socket.on("end", () => missing(`the server closed after ${heard.length} bytes`));
}

// Transactions and questions to nftables over one netlink socket; the socket is what owns an owned table.

import type { NetlinkMessage } from "../../src/wire/netlink.ts";
import { NLM_F_ACK } from "../../src/wire/netlink.ts";
import type { ChainRecord, ElementRecord, RuleRecord, TableName, TableRecord } from "../../src/wire/nftables.ts";
import {
  decodeChain,
  decodeElements,
  decodeRule,
  decodeTable,
  encodeBatchMark,
  encodeChain,
  encodeRulesOf,
  encodeSetName,
  encodeTable,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETRULE,
  NFT_MSG_GETSET,
  NFT_MSG_GETSETELEM,
  NFT_MSG_GETTABLE,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSETELEM,
} from "../../src/wire/nftables.ts";
import { ENOENT, errnoOf, kernelError } from "./errors.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "./netlink.ts";
import type { Request } from "./netlink.ts";

/** What became of a transaction. */
export type Outcome =
  | { readonly done: true }
  /** Nothing was changed. `at` is the first refused message, -1 when the commit as a whole was refused. */
  | { readonly done: false; readonly errno: number; readonly at: number };

/** nftables of the network namespace that the thread is in now. */
export class Nftables {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER, "nftables");

  /** The netlink port that owns the tables which this object creates as owned. */
  get port(): number {
    return this.#socket.port;
  }

  /** Commits all messages, or none. */
  commit(messages: readonly Request[]): Outcome {
    if (messages.length === 0) return { done: true };
    const mark = encodeBatchMark();
    const last = messages.length - 1;
    const { first, verdicts } = this.#socket.exchange([
      { type: NFNL_MSG_BATCH_BEGIN, flags: 0, payload: mark },
      ...messages.map((message, i) => (i === last ? { ...message, flags: message.flags | NLM_F_ACK } : message)),
      { type: NFNL_MSG_BATCH_END, flags: 0, payload: mark },
    ]);
    const refusal = verdicts.filter(({ errno }) => errno !== 0).toSorted((a, b) => a.seq - b.seq)[0];
    if (refusal !== undefined) return { done: false, errno: refusal.errno, at: refusal.seq - first - 1 };
    if (verdicts.length === 0) throw kernelError("nftables commit without an answer", ENOENT);
    return { done: true };
  }

  /** The table; undefined when there is none. */
  table(name: TableName): TableRecord | undefined {
    const message = this.#socket.get(
      "get table",
      { type: NFT_MSG_GETTABLE, flags: 0, payload: encodeTable(name) },
      ENOENT,
    );
    return message === undefined ? undefined : decodeTable(message.payload);
  }

  /** The chain; undefined when it or its table is not there. */
  chain(table: TableName, name: string): ChainRecord | undefined {
    const request = { type: NFT_MSG_GETCHAIN, flags: 0, payload: encodeChain(table, name) };
    const message = this.#socket.get("get chain", request, ENOENT);
    return message === undefined ? undefined : decodeChain(message.payload);
  }

  /** All chains of the table. */
  chains(table: TableName): readonly ChainRecord[] {
    // The kernel filters by family only.
    const payload = encodeTable(table);
    const messages = this.#dump("list chains", { type: NFT_MSG_GETCHAIN, flags: 0, payload }, NFT_MSG_NEWCHAIN);
    return messages.map(({ payload: chain }) => decodeChain(chain)).filter((chain) => chain.table === table.table);
  }

  /** The rules of a chain, in order. */
  rules(table: TableName, chain: string): readonly RuleRecord[] {
    const request = { type: NFT_MSG_GETRULE, flags: 0, payload: encodeRulesOf(table, chain) };
    return this.#dump("list rules", request, NFT_MSG_NEWRULE).map(({ payload }) => decodeRule(payload));
  }

  /** Whether the set is there. */
  hasSet(table: TableName, set: string): boolean {
    const request = { type: NFT_MSG_GETSET, flags: 0, payload: encodeSetName(table, set) };
    return this.#socket.get("get set", request, ENOENT) !== undefined;
  }

  /** The elements of a set that have not expired; none when there is no such set. */
  elements(table: TableName, set: string): readonly ElementRecord[] {
    const request = { type: NFT_MSG_GETSETELEM, flags: 0, payload: encodeSetName(table, set) };
    return this.#dump("list elements", request, NFT_MSG_NEWSETELEM).flatMap(({ payload }) => decodeElements(payload));
  }

  /** Closes the socket: what it owned has no owner from now on. */
  close(): void {
    this.#socket.close();
  }

  #dump(call: string, request: Request, type: number): readonly NetlinkMessage[] {
    try {
      return this.#socket.dump(call, request).filter((message) => message.type === type);
    } catch (error) {
      if (errnoOf(error) === ENOENT) return [];
      throw error;
    }
  }
}

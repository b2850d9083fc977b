// Transactions and questions to nftables over one netlink socket; the socket is what owns an owned table.

import type { NetlinkMessage } from "../../../src/wire/netlink.ts";
import { NLM_F_ACK } from "../../../src/wire/netlink.ts";
import type {
  ChainRecord,
  ElementRecord,
  RuleRecord,
  SetRecord,
  TableName,
  TableRecord,
} from "../../../src/wire/nftables.ts";
import {
  decodeChain,
  decodeElements,
  decodeGeneration,
  decodeRule,
  decodeSet,
  decodeTable,
  encodeBatchMark,
  encodeAnyFamily,
  encodeFamily,
  encodeSetName,
  encodeTable,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFT_MSG_GETCHAIN,
  NFT_MSG_GETGEN,
  NFT_MSG_GETRULE,
  NFT_MSG_GETSET,
  NFT_MSG_GETSETELEM,
  NFT_MSG_GETTABLE,
  NFT_MSG_NEWCHAIN,
  NFT_MSG_NEWRULE,
  NFT_MSG_NEWSET,
  NFT_MSG_NEWSETELEM,
} from "../../../src/wire/nftables.ts";
import { ENOENT, errnoOf, kernelError } from "../errors.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "../netlink.ts";
import type { Request } from "../netlink.ts";

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

  /** All chains of the table. */
  chains(table: TableName): readonly ChainRecord[] {
    // The kernel filters by family only.
    return this.#chains(encodeTable(table)).filter((chain) => chain.table === table.table);
  }

  /** All chains of all tables of a family. */
  chainsOfFamily(family: number): readonly ChainRecord[] {
    return this.#chains(encodeFamily(family));
  }

  /** The rules of a table, chain by chain, each in order. */
  rules(table: TableName): readonly RuleRecord[] {
    // A kernel that does not filter by table tells the rules of all.
    const request = { type: NFT_MSG_GETRULE, flags: 0, payload: encodeTable(table) };
    const messages = this.#dump("list rules", request, NFT_MSG_NEWRULE);
    return messages.map(({ payload }) => decodeRule(payload)).filter((rule) => rule.table === table.table);
  }

  /** The sets of a table. */
  sets(table: TableName): readonly SetRecord[] {
    const request = { type: NFT_MSG_GETSET, flags: 0, payload: encodeTable(table) };
    return this.#dump("list sets", request, NFT_MSG_NEWSET).map(({ payload }) => decodeSet(payload));
  }

  /** The number of the ruleset's state: one more after each transaction of anybody in the network namespace. */
  generation(): number {
    const request = { type: NFT_MSG_GETGEN, flags: 0, payload: encodeAnyFamily() };
    const message = this.#socket.get("get generation", request, ENOENT);
    if (message === undefined) throw kernelError("nftables get generation", ENOENT);
    return decodeGeneration(message.payload);
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

  #chains(payload: Uint8Array): readonly ChainRecord[] {
    const messages = this.#dump("list chains", { type: NFT_MSG_GETCHAIN, flags: 0, payload }, NFT_MSG_NEWCHAIN);
    return messages.map((message) => decodeChain(message.payload));
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

// Where the master is, by what more than half of all those say who should know: Sentinels, or the nodes of a Cluster. One
// that is cut off from the others names an old master in good faith, so whoever happens to answer is not enough. They are
// asked anew whenever a connection is made: so there is one server at a time behind a connection, and a failover shows
// as another run id.

import { AbstractConnector } from "ioredis";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { VipdError } from "../../src/base/errors.ts";
import { type Address, nameOf, type RedisOptions } from "./url.ts";
import { plainWords } from "./words.ts";

/** Who is asked and has not answered by then is passed over, in milliseconds. */
export const ASK_MS = 500;

/** So many are remembered, besides those of the URL. */
const MAX_LEARNED = 100;

/** A round that found no master is followed by the next one after this long, in milliseconds. */
const ROUND_MS = 200;

/**
 * While a connection stands, they are asked so often whether another server has become the master, in milliseconds. Nodes
 * shall leave an old one within a lease of each other: who stays takes those who have left for silent.
 */
const REVIEW_MS = 1_000;

/** What one of them tells: who is the master, and who else there is to ask. */
export interface Told {
  readonly master: Address | undefined;
  readonly others: readonly Address[];
}

/** Asks one of them; rejects when it does not answer within ASK_MS, or not as it should. */
export type Ask = (whom: Address) => Promise<Told>;

/** What a round of asking found. */
export interface Found extends Told {
  /** Why no master was found; empty when there is one. */
  readonly trouble: string;
  /** What went wrong with one of them, if only with one. */
  readonly cause: unknown;
}

/** A connector for ioredis that leads to the master that more than half name. */
export function masterConnector(
  seeds: readonly Address[],
  ask: Ask,
  tls: RedisOptions["tls"],
): new () => AbstractConnector {
  let known = seeds;
  return class extends AbstractConnector {
    constructor() {
      super(ASK_MS);
    }

    private tell: (type: string, error: Error) => void = () => {};

    override check(info: { readonly role?: string }): boolean {
      const isMaster = info.role === undefined || info.role === "master";
      if (!isMaster) this.tell("error", new VipdError("store-unavailable", "what is named as the master is a replica"));
      return isMaster;
    }

    async connect(tell: (type: string, error: Error) => void): Promise<Socket> {
      this.connecting = true;
      this.tell = tell;
      for (;;) {
        const { master, others, trouble, cause } = await findMaster(known, ask);
        known = withLearned(seeds, others);
        if (!this.connecting) throw new Error("the connection is not wanted any more");
        if (master !== undefined) return this.open(master);
        tell("error", new VipdError("store-unavailable", trouble, {}, cause));
        await new Promise((resolve) => setTimeout(resolve, ROUND_MS));
      }
    }

    private open(master: Address): Socket {
      const stream = tls === null ? connectPlain({ ...master }) : connectTls({ ...master, ...tls });
      stream.once("error", (error: Error) => {
        this.firstError = error;
      });
      this.stream = stream;
      review(stream, master, () => findMaster(known, ask));
      return stream;
    }
  };
}

/**
 * Ends a connection when more than half name another master by now: one that is cut off from the others does not know that
 * it is none any more, and goes on answering. Whoever cannot be asked changes nothing.
 */
function review(stream: Socket, master: Address, find: () => Promise<Found>): void {
  let isAsking = false;
  const look = async (): Promise<void> => {
    isAsking = true;
    const { master: named } = await find();
    isAsking = false;
    if (named !== undefined && nameOf(named) !== nameOf(master))
      stream.destroy(new VipdError("store-unavailable", `${nameOf(named)} has become the master`));
  };
  const timer = setInterval(() => {
    if (!isAsking) void look();
  }, REVIEW_MS);
  timer.unref();
  stream.once("close", () => clearInterval(timer));
}

/** Asks all at once; settles when more than half of all agree, or when all have answered or failed: then there is none. */
export function findMaster(whom: readonly Address[], ask: Ask): Promise<Found> {
  return new Promise((resolve) => {
    const ballot = new Ballot(whom.length);
    let waiting = whom.length;
    const hear = async (one: Address): Promise<void> => {
      try {
        ballot.count(await ask(one));
      } catch (error) {
        ballot.fail(one, error);
      }
      waiting -= 1;
      if (waiting === 0 || ballot.isDecided) resolve(ballot.found);
    };
    for (const one of whom) void hear(one);
  });
}

/** Who was named how often. */
class Ballot {
  private why = "";
  private cause: unknown;
  private readonly voters: number;
  private most = 0;
  private leading: Address | undefined;
  private readonly votes = new Map<string, number>();
  private readonly others: Address[] = [];

  constructor(voters: number) {
    this.voters = voters;
  }

  get isDecided(): boolean {
    return this.most > this.voters / 2;
  }

  get found(): Found {
    const { others, most, voters } = this;
    if (this.isDecided) return { master: this.leading, others, trouble: "", cause: undefined };
    const trouble = `${most} of ${voters} name the same master, and more than half must${this.why}`;
    return { master: undefined, others, trouble, cause: this.cause };
  }

  fail(one: Address, error: unknown): void {
    this.why = `: ${nameOf(one)}: ${plainWords(error)}`;
    this.cause = error;
  }

  count({ master, others }: Told): void {
    this.others.push(...others);
    if (master === undefined) return;
    const votes = (this.votes.get(nameOf(master)) ?? 0) + 1;
    this.votes.set(nameOf(master), votes);
    if (votes <= this.most) return;
    this.most = votes;
    this.leading = master;
  }
}

/** The seeds stay, so that servers that have moved away altogether are found by them. */
function withLearned(seeds: readonly Address[], others: readonly Address[]): readonly Address[] {
  const all = new Map([...seeds, ...others].map((one) => [nameOf(one), one]));
  return [...all.values()].slice(0, seeds.length + MAX_LEARNED);
}

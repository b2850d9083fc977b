// Asks the wire whether anybody answers for addresses whose holder has said farewell, or is pre-empted: its kernel does as long as
// it has them, however busy the host is.

import type { VipAddress } from "../base/vip.ts";
import type { PacketLink } from "../ports/host.ts";
import type { AskIfSilent } from "./vrrp-election.ts";

/** How long an answer is waited for, in milliseconds: on a link it takes less than one. */
const ANSWER_MS = 20;

/** A question that does not end by then has no answer, in milliseconds. */
const LIMIT_MS = 500;

/** So many questions at a time; what comes beyond them has no answer. */
const MOST_QUESTIONS = 32;

/** Questions to the wire by these packets. */
export function wireQuestions(packets: Pick<PacketLink, "probe">): AskIfSilent {
  let open = 0;
  const isSilent = async (addresses: readonly VipAddress[]): Promise<boolean> => {
    const signal = AbortSignal.timeout(LIMIT_MS);
    try {
      const answers = await Promise.all(addresses.map((address) => packets.probe(address, ANSWER_MS, signal)));
      return answers.every(({ length }) => length === 0);
    } catch {
      // A link that is down, or no socket: nobody knows, and and who asked waits as long as it may have to.
      return false;
    }
  };
  const ask = async (addresses: readonly VipAddress[], done: (isSilent: boolean) => void): Promise<void> => {
    const answer = await isSilent(addresses);
    open -= 1;
    done(answer);
  };
  return (addresses, done) => {
    if (open >= MOST_QUESTIONS || addresses.length === 0) return done(false);
    open += 1;
    void ask(addresses, done);
  };
}

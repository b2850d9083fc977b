// A claim against a master that is known to live: when does that one answer no more?
//
// It lets go when it reads the claim. That takes it a millisecond, or, on a host with too much to do, as long as its fence is open:
// three intervals after its last advert. Its kernel answers meanwhile. So the wire is asked, once the claim has left, and again while
// somebody answers. Who is not silent by the end of its right to hold is no vipd, or another station that has the address.
// Whoever is heard as a lower master has not read the claim: its right begins anew, and what was asked before counts no more.
//
//   unsaid --an advert left--> due --ask--> asked --silent--> over --drained--> the claim becomes a mastership
//   asked --somebody answers, nobody knows--> due;  due, asked --the right to hold has ended--> over
//   due, asked, over --a lower master is heard--> due

import { earliest, type Instant, later, latest, LONG_AGO, NEVER } from "../base/time.ts";
import { VRRP_PRIORITY_STOP } from "../base/vrrp.ts";
import type { HeardAdvert } from "./judge.ts";
import type { VrrpRouter } from "./router.ts";
import type { Former, Inquiry, Listening } from "./state.ts";
import { masterDownMs } from "./timing.ts";

/** A master that is scheduled reads the claim and lets go within this, in milliseconds: a question that came sooner would find it. */
const READING_MS = 5;

/** The pause between an answer and the next question, in milliseconds; it doubles. */
const LEAST_PAUSE_MS = 5;
const MOST_PAUSE_MS = 250;

/** A question that has no answer by then has none, in milliseconds: a later one may be as old as that. */
const ANSWER_LIMIT_MS = 600;

/** Sockets that were not drained are asked for again after this, in milliseconds. */
const DRAIN_RETRY_MS = 100;

const UNSAID: Inquiry = { kind: "due", at: NEVER, pauseMs: LEAST_PAUSE_MS };

/** The master that a claim replaces, by what its router knew as a backup; `null`: none is known to live. */
export function formerOf({ master, masterDownAt }: Listening, at: Instant): Former | null {
  if (master === null || master.priority === VRRP_PRIORITY_STOP || at >= masterDownAt) return null;
  return { rival: master, lapsesAt: masterDownAt, inquiry: UNSAID };
}

/** A master of lower priority is heard while this router claims. */
export function hearFormer(
  former: Former | null,
  router: VrrpRouter,
  priority: number,
  { advert, source }: HeardAdvert,
  at: Instant,
): Former {
  const intervalMs = router.version === 3 ? advert.intervalMs : router.intervalMs;
  const lapsesAt = latest(former?.lapsesAt ?? LONG_AGO, later(at, masterDownMs(router, priority, intervalMs)));
  const rival = { source, priority: advert.priority, heardAt: at };
  const inquiry = former?.inquiry ?? UNSAID;
  return { rival, lapsesAt, inquiry: inquiry.kind === "due" ? inquiry : dueAgain(inquiry, at) };
}

/** The claim has left, at `sentAt`. */
export function afterClaim(former: Former, sentAt: Instant): Former {
  const { inquiry } = former;
  if (inquiry.kind !== "due" || inquiry.at !== NEVER) return former;
  return { ...former, inquiry: { ...inquiry, at: later(sentAt, READING_MS) } };
}

/** The claim is another one, which has not left yet. */
export function claimAnew(former: Former | null): Former | null {
  return former === null ? null : { ...former, inquiry: UNSAID };
}

/** What is due while it waits for the former master. */
export type Turn = { readonly kind: "wait" | "ask" | "drain"; readonly former: Former };

/** A tick, or the answer to a question, has come. */
export function proceed(former: Former, at: Instant): Turn {
  const { inquiry, lapsesAt } = former;
  if (at < turnAt(former)) return { kind: "wait", former };
  if (inquiry.kind === "over" || at >= lapsesAt) return over(former, at);
  if (inquiry.kind === "asked") return { kind: "wait", former: { ...former, inquiry: dueAgain(inquiry, at) } };
  return { kind: "ask", former: { ...former, inquiry: { kind: "asked", at, pauseMs: inquiry.pauseMs } } };
}

/** Whether the wire was silent, asked at `askedAt`. */
export function hearAnswer(former: Former, askedAt: Instant, isSilent: boolean, at: Instant): Turn {
  const { inquiry } = former;
  if (inquiry.kind !== "asked" || inquiry.at !== askedAt) return { kind: "wait", former };
  if (isSilent && at < later(askedAt, ANSWER_LIMIT_MS)) return over(former, at);
  return { kind: "wait", former: { ...former, inquiry: dueAgain(inquiry, at) } };
}

/** When a router that waits wants a tick. */
export function turnAt({ inquiry, lapsesAt }: Former): Instant {
  switch (inquiry.kind) {
    case "due":
      return earliest(inquiry.at, lapsesAt);
    case "asked":
      return earliest(later(inquiry.at, ANSWER_LIMIT_MS), lapsesAt);
    default:
      return later(inquiry.at, DRAIN_RETRY_MS);
  }
}

/** Nobody answers, or nobody may: the sockets tell whether somebody has spoken meanwhile. */
function over(former: Former, at: Instant): Turn {
  return { kind: "drain", former: { ...former, inquiry: { kind: "over", at, pauseMs: former.inquiry.pauseMs } } };
}

function dueAgain({ pauseMs }: Inquiry, at: Instant): Inquiry {
  return { kind: "due", at: later(at, pauseMs), pauseMs: Math.min(MOST_PAUSE_MS, 2 * pauseMs) };
}

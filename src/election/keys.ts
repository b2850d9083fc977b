// Where the records of a fleet stand.
//
//   /vipd/<fleet>/live/fleet/epoch              the epoch of the store that the fleet has settled on
//   /vipd/<fleet>/live/fleet/changed            written by every commit that changes more than a session
//   /vipd/<fleet>/live/fleet/sessions/<node>    a node's lease: renewed by compare-and-swap
//   /vipd/<fleet>/live/elections/<name>         who holds it; its version is the fencing token
//   /vipd/<fleet>/live/candidates/<name>/<node> who wants it, and how much
//   /vipd/<fleet>/live/addresses/<address>      which election's holder may answer for an address, or send with a virtual MAC
//   /vipd/<fleet>/history/<name>/<slot>         the last ownership changes, in a ring
//   /vipd/<fleet>/history/<name>/<slot>-loss    what the holder before said of its loss, when it lost it unwillingly
//
// Nodes watch what is live, and read its part `fleet` often: the version of `changed` tells whether there is anything
// else to be read. History is read when somebody asks for it.

import { HISTORY_LENGTH } from "../base/bounds.ts";
import { isName } from "../base/names.ts";

/** Where a key of the live part points. */
export type RecordKey =
  | { readonly kind: "epoch" }
  | { readonly kind: "changed" }
  | { readonly kind: "session"; readonly node: string }
  | { readonly kind: "election"; readonly election: string }
  | { readonly kind: "candidate"; readonly election: string; readonly node: string }
  | { readonly kind: "address"; readonly address: string };

/** IPv4, IPv6, or a MAC with colons. */
const ADDRESS = /^[0-9a-f.:]{2,45}$/u;

/** The keys of one fleet. */
export class Keys {
  /** The prefix of what every node watches. */
  readonly live: string;
  /** The prefix of what every node reads often. */
  readonly fleet: string;
  readonly epoch: string;
  readonly changed: string;
  private readonly past: string;
  private readonly sessions: string;
  private readonly elections: string;
  private readonly candidates: string;
  private readonly addresses: string;

  constructor(fleet: string) {
    this.live = `/vipd/${fleet}/live/`;
    this.past = `/vipd/${fleet}/history/`;
    this.fleet = `${this.live}fleet/`;
    this.epoch = `${this.fleet}epoch`;
    this.changed = `${this.fleet}changed`;
    this.sessions = `${this.fleet}sessions/`;
    this.elections = `${this.live}elections/`;
    this.candidates = `${this.live}candidates/`;
    this.addresses = `${this.live}addresses/`;
  }

  session(node: string): string {
    return this.sessions + node;
  }

  election(election: string): string {
    return this.elections + election;
  }

  candidate(election: string, node: string): string {
    return `${this.candidates}${election}/${node}`;
  }

  /** An IP in canonical text form, or a MAC, lower case with colons: no IPv6 address is written like one. */
  address(address: string): string {
    return this.addresses + address;
  }

  history(election: string, seq: number): string {
    return `${this.historyOf(election)}${seq % HISTORY_LENGTH}`;
  }

  loss(election: string, seq: number): string {
    return `${this.history(election, seq)}-loss`;
  }

  /** The prefix of an election's history. */
  historyOf(election: string): string {
    return `${this.past}${election}/`;
  }

  /** What a live key is about; `undefined` for a key that is none of ours. */
  parse(key: string): RecordKey | undefined {
    if (key === this.epoch) return { kind: "epoch" };
    if (key === this.changed) return { kind: "changed" };
    if (key.startsWith(this.sessions)) {
      const node = key.slice(this.sessions.length);
      return isName(node) ? { kind: "session", node } : undefined;
    }
    if (key.startsWith(this.elections)) {
      const election = key.slice(this.elections.length);
      return isName(election) ? { kind: "election", election } : undefined;
    }
    if (key.startsWith(this.addresses)) {
      const address = key.slice(this.addresses.length);
      return ADDRESS.test(address) ? { kind: "address", address } : undefined;
    }
    if (!key.startsWith(this.candidates)) return undefined;
    const [election = "", node = "", ...rest] = key.slice(this.candidates.length).split("/");
    return rest.length === 0 && isName(election) && isName(node) ? { kind: "candidate", election, node } : undefined;
  }
}

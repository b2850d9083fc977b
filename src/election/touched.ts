// What has changed since somebody last looked, so that only that is judged anew.

/** A list of what is to be judged anew. */
export class Touched {
  /** Elections of which a record has changed. */
  readonly elections = new Set<string>();
  /** Nodes whose session began, ended, or is another. */
  readonly nodes = new Set<string>();
  /** Nodes that have sent a heartbeat. */
  readonly heartbeats = new Set<string>();
  /** Nodes that were seen to take, or to be handed, an election. */
  readonly takers = new Set<string>();
  /** Who contends for anything: a candidate, or whether one is alive. */
  contenders = true;
  /** Everything: another epoch, or the fleet has settled on one. */
  everything = true;
  /** The list of nodes, their leases, or the list of unreadable records. */
  roster = true;

  clear(): void {
    this.elections.clear();
    this.nodes.clear();
    this.heartbeats.clear();
    this.takers.clear();
    this.contenders = false;
    this.everything = false;
    this.roster = false;
  }
}

// The claim that a node keeps over restarts of its daemon.

/** A node's incarnation, kept on the host. */
export interface IdentityKeeper {
  /** The incarnation to begin with. */
  readonly incarnation: string;
  /** Whether it is of an earlier process on this boot that is surely over, so that its lease may be taken up again. */
  readonly adopt: boolean;
  /** The longest lease of the fleet that this host has known, in milliseconds; 0: none. */
  readonly knownTtlMs: number;
  /** Keeps the longest lease of the fleet for later processes. Throws what the file system refuses. */
  rememberTtl(longestTtlMs: number): void;
  /** The fence has been set for all that is held: should the machine have slept before, a restart may take it up still. */
  fenceWasSet(): void;
  /** Makes a new incarnation; it is durable on return. */
  renew(): string;
  /** Lets the next daemon on this host have it. */
  release(): void;
}

// Work that is asked for at any moment, such as a reload on SIGHUP, and that must never run twice at once: an older run would
// overtake a newer one, and put what it had read before in force over it.

/** Runs its work once at a time. */
export class OneAtATime {
  private readonly work: (signal: AbortSignal) => Promise<void>;
  private readonly closing = new AbortController();
  private isRunning = false;
  private isWantedAgain = false;

  /** `work` looks at its signal after each wait, and changes nothing once it is aborted. A rejection of it is a bug. */
  constructor(work: (signal: AbortSignal) => Promise<void>) {
    this.work = work;
  }

  /** Runs the work, now or once more after the run that is under way: however often it is asked meanwhile, once. */
  request(): void {
    if (this.closing.signal.aborted) return;
    if (this.isRunning) this.isWantedAgain = true;
    else void this.run();
  }

  /** Aborts the run that is under way; none begins any more. */
  close(): void {
    this.isWantedAgain = false;
    this.closing.abort();
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    try {
      do {
        this.isWantedAgain = false;
        await this.work(this.closing.signal);
      } while (this.isWantedAgain);
    } finally {
      this.isRunning = false;
    }
  }
}

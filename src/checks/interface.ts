// The check of an interface: there, up, and with carrier, for long enough.

import type { Instant } from "../base/time.ts";
import { NEVER } from "../base/time.ts";
import { type Debounced, debounced, observe, settlesAt } from "../health/debounce.ts";
import { type CheckResult, checkResult } from "../health/result.ts";
import type { Timers } from "../ports/clock.ts";
import type { Link } from "../ports/host.ts";
import type { InterfaceCheckOptions } from "../config/check-options.ts";
import type { Performer } from "./performer.ts";

/** The links of this host, as the kernel's news leave them. */
export interface LinkNews {
  /** All links as they are now, from memory. */
  links(): readonly Link[];
  /** Calls `onNews` after each change of a link; the result ends that. */
  follow(onNews: () => void): () => void;
}

/** What the check needs. */
export interface InterfaceCheckDeps {
  readonly timers: Timers;
  readonly linkNews: LinkNews;
}

/** Looks at one interface. */
export class InterfacePerformer implements Performer {
  private readonly options: InterfaceCheckOptions;
  private readonly deps: InterfaceCheckDeps;
  /** What is wrong with it; empty: nothing. */
  private trouble: Debounced<string> | undefined;
  private cancelSettle: () => void = () => {};

  constructor(options: InterfaceCheckOptions, deps: InterfaceCheckDeps) {
    this.options = options;
    this.deps = deps;
  }

  async run(): Promise<CheckResult> {
    const { settled } = this.look(this.deps.timers.now());
    return settled === "" ? checkResult("ok", `${this.options.interface} is up`) : checkResult("failed", settled);
  }

  watch(onNews: () => void): () => void {
    const heard = (): void => {
      const { timers } = this.deps;
      const before = this.trouble?.settled;
      const state = this.look(timers.now());
      const isNews = before !== undefined && state.settled !== before;
      this.cancelSettle();
      const at = settlesAt(state, this.options.debounceMs);
      if (at !== NEVER) this.cancelSettle = timers.at(at, heard);
      if (isNews) onNews();
    };
    const unfollow = this.deps.linkNews.follow(heard);
    heard();
    return () => {
      unfollow();
      this.cancelSettle();
    };
  }

  private look(now: Instant): Debounced<string> {
    const seen = this.troubleNow();
    this.trouble =
      this.trouble === undefined ? debounced(seen, now) : observe(this.trouble, seen, this.options.debounceMs, now);
    return this.trouble;
  }

  private troubleNow(): string {
    const { interface: name } = this.options;
    const link = this.deps.linkNews.links().find((each) => each.name === name);
    if (link === undefined) return `${name} is missing`;
    return link.up ? "" : `${name} is down`;
  }
}

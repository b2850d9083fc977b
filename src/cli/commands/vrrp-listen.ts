// vipctl vrrp listen: who speaks VRRP on the wire. It needs no configuration and no daemon, and says nothing itself.

import { VipdError } from "../../base/errors.ts";
import { later } from "../../base/time.ts";
import { formatDuration, parseDuration } from "../../config/duration.ts";
import type { VipctlDeps } from "../deps.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import { type Cell, escapeControl, formatTable, type Style, styleFor, toJson } from "../render/text.ts";
import { formatSpan } from "../render/time.ts";
import { type Heard, type Speaker, Speakers } from "../vrrp/speakers.ts";

/** The options of vrrp listen. */
export interface VrrpListenOptions {
  readonly for?: string;
  readonly json?: true;
}

/** Longer than three usual intervals: who is heard once only has gone. */
const DEFAULT_MS = 5_000;
const LONGEST_MS = 3_600_000;

/** Listens for a while and tells; exit code 1 when nobody was heard. */
export async function vrrpListen(
  link: string | undefined,
  options: VrrpListenOptions,
  deps: VipctlDeps,
): Promise<ExitCode> {
  const forMs = options.for === undefined ? DEFAULT_MS : parseDuration(options.for);
  if (forMs === undefined || forMs <= 0 || forMs > LONGEST_MS) {
    deps.err.write(
      `vipctl: --for ${escapeControl(options.for ?? "")} is not a duration up to 1h; write one such as 10s\n`,
    );
    return EXIT.usage;
  }
  if (deps.listenVrrp === undefined)
    throw new VipdError("interface", "this build of vipctl cannot listen for VRRP: run it on Linux");
  const speakers = new Speakers();
  const { timers, signal } = deps;
  const close = await deps.listenVrrp(link, (at, multicast, received) =>
    speakers.hear(at, multicast, received, timers.now()),
  );
  try {
    if (options.json !== true && deps.err.isTerminal) deps.err.write(`listening for ${formatDuration(forMs)} ...\n`);
    await elapsed(forMs, deps);
  } finally {
    close();
  }
  show(speakers.report(timers.now()), options, deps);
  if (signal.aborted) return EXIT.interrupted;
  return speakers.report(timers.now()).speakers.length === 0 ? EXIT.no : EXIT.ok;
}

/** Settles after so long, or when the user interrupts: what was heard until then is told. */
function elapsed(ms: number, { timers, signal }: VipctlDeps): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = timers.at(later(timers.now(), ms), end);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

function show(heard: Heard, options: VrrpListenOptions, deps: VipctlDeps): void {
  if (options.json === true) return deps.out.write(`${toJson(heard)}\n`);
  const style = styleFor(deps.out, deps.env);
  const { speakers, warnings } = heard;
  const table =
    speakers.length === 0 ? "nobody speaks VRRP here" : formatTable([HEADING, ...speakers.map((s) => row(s, style))]);
  const lines = warnings.map((warning) => style.warn(`! ${escapeControl(warning)}`));
  deps.out.write(`${[table, ...(lines.length === 0 ? [] : ["", ...lines])].join("\n")}\n`);
}

const HEADING: readonly Cell[] = [
  ...["INTERFACE", "ID", "MASTER", "PRIORITY", "INTERVAL", "VERSION", "AUTH", "WAY", "LAST ADVERT", "ADDRESSES"],
].map((text) => ({ text }));

function row(speaker: Speaker, style: Style): readonly Cell[] {
  const { id, source, priority, intervalMs, version, authentication, reach, ageMs, addresses } = speaker;
  return [
    { text: speaker.interface },
    { text: String(id), style: style.bold },
    { text: source },
    priority === 0 ? { text: "0 (gave up)", style: style.warn } : { text: String(priority) },
    { text: formatDuration(intervalMs) },
    { text: String(version) },
    { text: authentication },
    { text: reach },
    { text: `${formatSpan(ageMs)} ago` },
    { text: addresses.join(" ") },
  ];
}

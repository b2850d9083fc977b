// What the checks of the node that answers say.

import type { CheckView } from "../../admin/check-view.ts";
import type { StatusView } from "../../admin/views.ts";
import { escapeControl, type Style } from "./text.ts";
import { formatSpan } from "./time.ts";

/** Checks that are not ok; nothing when all is well. */
export function checkLines(view: StatusView, style: Style): readonly string[] {
  return view.checks
    .filter(({ verdict, recovery }) => verdict !== "ok" || recovery !== null)
    .map((check) => checkLine(check, style));
}

function checkLine({ name, verdict, sinceMs, reason, last, recovery }: CheckView, style: Style): string {
  const subject = `check ${style.bold(escapeControl(name))}`;
  const printed = last === null || last.lastLine === "" ? "" : ` ("${escapeControl(last.lastLine)}")`;
  if (recovery !== null)
    return style.warn(
      `${subject} fails: ${escapeControl(last?.reason ?? reason)}${printed}; its recovery is under way`,
    );
  if (verdict === "pending") return style.dim(`${subject} has not looked yet`);
  return style.bad(`${subject} has failed for ${formatSpan(sinceMs)}: ${escapeControl(reason)}${printed}`);
}

// What the checks of the node that answers say, and why it does not hold what it could.

import type { CheckView } from "../../admin/check-view.ts";
import type { ElectionView, StatusView } from "../../admin/views.ts";
import { escapeControl, type Style } from "./text.ts";
import { formatSpan } from "./time.ts";

/** Checks that are not ok, and what speaks against this node's VIPs; nothing when all is well. */
export function healthLines(view: StatusView, style: Style): readonly string[] {
  return [
    ...view.checks
      .filter(({ verdict, recovery }) => verdict !== "ok" || recovery !== null)
      .map((check) => checkLine(check, style)),
    ...view.elections.flatMap((election) => objectionLines(election, view.node, style)),
  ];
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

function objectionLines({ name, role, objections }: ElectionView, node: string, style: Style): readonly string[] {
  return objections.map(({ reason, sinceMs, forMs }) => {
    const held = role === "holder" ? "holds it as a last resort" : "does not hold it";
    const left = forMs === null ? "" : `, for ${formatSpan(forMs)} more`;
    const why = `${escapeControl(reason)} (for ${formatSpan(sinceMs)}${left})`;
    return style.warn(`${escapeControl(name)}: ${escapeControl(node)} ${held}: ${why}`);
  });
}

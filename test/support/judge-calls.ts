import type { SandboxState } from "../../src/sandbox/state.ts";
import type { CallEnd, CallerLog } from "./caller-log.ts";

/** What the callers were told, held against what Presto did: every sentence is a lie that was found. No call may be under way. */
export function judgeCalls(
  log: CallerLog,
  presto: Pick<SandboxState, "confirms" | "transactions">,
): readonly string[] {
  const found: string[] = [];
  for (const [reference, times] of Object.entries(presto.confirms)) {
    if (times > 1) found.push(`the money of ${reference} moved ${times} times`);
  }
  for (const [reference, ends] of log.confirms()) {
    const lie = judgeConfirm(ends, presto.confirms[reference] ?? 0);
    if (lie !== undefined) found.push(`confirm of ${reference} (${ends.join(", ")}): ${lie}`);
  }
  // A reference that is told to nobody can't be matched to its call: counts must do.
  const { served, unknown } = log.inits();
  const made = presto.transactions.length;
  if (made < served) found.push(`${served} inits were answered as done, and Presto has ${made} transactions`);
  if (made > served + unknown)
    found.push(
      `${made} transactions were begun by ${served} inits that were served and ${unknown} unknown ones`,
    );
  return found;
}

function judgeConfirm(ends: readonly CallEnd[], acted: number): string | undefined {
  const served = ends.filter((end) => end === "served").length;
  const unknown = ends.filter((end) => end === "unknown").length;
  if (acted < served) return "answered as done, and nothing moved";
  if (acted > served + unknown) return "said not to have been done, and the money moved";
  return undefined;
}

/** Money that was moved twice. */
export function movedTwice({ confirms }: Pick<SandboxState, "confirms">): number {
  return Object.values(confirms).filter((times) => times > 1).length;
}

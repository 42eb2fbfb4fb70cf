import type { SetFault } from "../../src/sandbox/faults.ts";
import type { Sandbox } from "../../src/sandbox/server.ts";
import { walletPaths } from "../support/wallet-call.ts";
import { firstId, laterId } from "./money-kills-callers.ts";
import type { ConfirmFault } from "./money-kills-deck.ts";
import type { RoundPlan, RunPlan } from "./money-kills-plan.ts";

/** Presto's faults for one round. */
export interface Stage {
  /** Connections that are made from now on are struck. */
  strikeConnections(): void;
  /** Executes what was kept waiting, each at its time after the kill; from then on Presto says what is so. */
  killed(): Promise<void>;
}

/** Whatever Presto does only for a while it does no longer than this after the kill, milliseconds… */
const unsettledMs = 1_500;
/** …nor after the round began, however slow the machine: `PRESTO_SETTLE` is a promise of Presto's. */
const longestMs = 3_900;

export function setStage(sandbox: Sandbox, plan: RoundPlan, references: readonly string[]): Stage {
  const setAt = performance.now();
  const executed: { readonly fault: SetFault; readonly afterMs: number }[] = [];
  const passing: SetFault[] = [];
  for (const [index, run] of plan.runs.entries()) {
    const reference = references[index] ?? "";
    const set = (fault: ConfirmFault, requestId: string): SetFault | undefined =>
      fault.effect === undefined
        ? undefined
        : sandbox.setFault({
            ...fault.effect(reference),
            method: "POST",
            path: walletPaths.confirm,
            requestId,
          });
    const first = run.idOf === run.number ? set(run.fault, firstId(run)) : undefined;
    if (first !== undefined && run.executedAfterMs !== undefined)
      executed.push({ fault: first, afterMs: run.executedAfterMs });
    // One that is never executed is kept waiting for ever.
    else if (first !== undefined && !keepsWaiting(run)) passing.push(first);
    if (run.laterFault !== undefined) set(run.laterFault, laterId(run, 2));
    const { effect, times } = run.question;
    if (effect === undefined) continue;
    const path = `${walletPaths.transaction}/${reference}`;
    const question = sandbox.setFault({
      ...effect(reference),
      method: "GET",
      path,
      ...(times === undefined ? {} : { times }),
    });
    if (times !== undefined) passing.push(question);
  }
  const endPassing = (): void => {
    for (const fault of passing) fault.remove();
  };
  const longest = setTimeout(endPassing, longestMs);
  return {
    strikeConnections() {
      if (plan.connection !== undefined) passing.push(sandbox.setFault(plan.connection));
    },
    async killed() {
      const later = (ms: number, act: () => void): Promise<void> =>
        new Promise((resolve) => {
          setTimeout(() => resolve(act()), ms);
        });
      await Promise.all([
        ...executed.map(({ fault, afterMs }) =>
          later(afterMs, () => {
            if (performance.now() - setAt < longestMs) fault.remove();
          }),
        ),
        later(unsettledMs, endPassing),
      ]);
      clearTimeout(longest);
    },
  };
}

function keepsWaiting({ fault }: RunPlan): boolean {
  return fault.effect?.("").kind === "hold";
}

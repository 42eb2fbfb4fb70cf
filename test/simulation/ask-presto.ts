import type { ProbeAnswer } from "../../src/presto/probe.ts";
import type { Secret } from "../../src/secret.ts";
import type { Operate } from "./operate.ts";
import type { Presto } from "./presto.ts";
import type { SimProcess } from "./sim-process.ts";

export interface AskPrestoOptions {
  readonly operate: Operate;
  readonly presto: Presto;
  /** It looks for the record before it looks at the token. */
  readonly isBlind: boolean;
}

/** A probe's question, on its way to the simulated Presto and back. */
export function createAskPresto(
  { operate, presto, isBlind }: AskPrestoOptions,
  process: SimProcess,
): (token: Secret) => Promise<ProbeAnswer> {
  function answer(token: Secret): ProbeAnswer {
    if (presto.isDown()) return "other";
    return isBlind || presto.accepts(token) ? "not-found" : "unauthorized";
  }
  return (token) =>
    operate({
      process,
      kind: "probe",
      effect: () => answer(token),
      lost: () => new Error("no answer"),
    }).catch(() => "other");
}

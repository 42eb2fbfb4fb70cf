import type { NextState, Trigger, Standing } from "../../src/renewal/run.ts";
import type { RenewalEnd } from "../../src/renewal/types.ts";
import { Secret } from "../../src/secret.ts";
import type { Intent } from "../../src/store/contract.ts";
import type { RenewalBench } from "./renewal-bench.ts";

/** The id of a token. */
export function idOf(token: string): string {
  return new Secret(token).fingerprint();
}

/** A person wants another token than this one. */
export function wishBeyond(token: string | undefined, force = false): Pick<Trigger, "request"> {
  const id = token === undefined ? undefined : idOf(token);
  return { request: { replaces: (other) => other === undefined || other === id, force } };
}

/** These tokens were reported or found dead. */
export function rejected(...tokens: readonly string[]): Pick<Trigger, "rejected"> {
  return { rejected: new Set(tokens.map(idOf)) };
}

/** An intent that stands in the store. */
export function intentBy(holder: string, differences: Partial<Intent> = {}): Intent {
  return {
    id: `of ${holder}`,
    holder,
    soleCall: false,
    reason: "scheduled",
    at: new Date(0),
    ...differences,
  };
}

/** An intent of this process, put into the store. */
export function standing({ store }: RenewalBench, differences: Partial<Intent> = {}): Standing {
  const intent = intentBy("this-process", { id: "own", ...differences });
  const { record, version } = store.put({ intent });
  return { intent, record, version };
}

/** The kind of end that a next state carries. */
export function endOf(next: NextState | undefined): RenewalEnd | undefined {
  return next !== undefined && "end" in next ? next.end : undefined;
}

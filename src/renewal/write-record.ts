import type { TokenRecord } from "../store/contract.ts";
import type { WritableStore } from "./renewal-parts.ts";

/** How a compare-and-set ended. `unclear`: perhaps applied, perhaps later; whoever wrote reads again. */
export type WriteEnd =
  | { readonly kind: "written"; readonly version: string }
  | { readonly kind: "refused" }
  | { readonly kind: "unclear"; readonly cause: unknown };

/** Writes by compare-and-set; an error is an answer like the others. */
export async function writeRecord(
  store: WritableStore,
  record: TokenRecord,
  expected: string | undefined,
): Promise<WriteEnd> {
  try {
    const result = await store.write(record, expected);
    return result.outcome === "written" ? { kind: "written", version: result.version } : { kind: "refused" };
  } catch (cause) {
    return { kind: "unclear", cause };
  }
}

/** What a record is before there is one. */
export const emptyRecord: TokenRecord = {
  schema: 1,
  generation: 0,
  token: null,
  name: null,
  issuedAt: null,
  expiresAt: null,
  intent: null,
  unexplainedDeaths: [],
  stopped: null,
  writtenBy: null,
};

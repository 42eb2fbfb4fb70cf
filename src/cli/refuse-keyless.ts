import { Failure } from "../errors.ts";
import { StoreError } from "../store/contract.ts";

/** For `read().catch`: a sidecar waits for a key file; a command that is run once can't, and without a key says nothing of the record. */
export function refuseKeyless(kind: "env" | "file"): (error: unknown) => never {
  return (error) => {
    if (kind !== "file" || !(error instanceof StoreError) || error.code !== "not-yet") throw error;
    throw new Failure(
      "configuration",
      `${error.message} Make a key with: presto-sidecar keygen, if the record was not sealed yet.`,
      error,
    );
  };
}

import { type StoredCredentials, StoreError } from "../store/contract.ts";
import type { CredentialOptions } from "../store/open.ts";
import { fail, type Finding, ok, warn } from "./finding.ts";
import { storeMends } from "./judge-store.ts";
import { lateDetail, lateMend, sentenceOf, type Tried } from "./tried.ts";

/** Can the account's e-mail and password be read, and is the password settled? Neither is ever shown. */
export function judgeCredentials(
  tried: Tried<StoredCredentials | undefined>,
  kind: CredentialOptions["kind"],
): Finding {
  if (tried.kind === "late") return fail("credentials", "unreachable", lateDetail, lateMend);
  if (tried.kind === "failed") {
    const { error } = tried;
    const mend =
      error instanceof StoreError ? storeMends[error.code] : "Use credentials that this system can have.";
    return fail("credentials", "configuration", sentenceOf(error), mend);
  }
  const stored = tried.value;
  if (stored === undefined) {
    return fail(
      "credentials",
      "configuration",
      "There are none in PRESTO_CREDENTIALS.",
      "Put them there with: presto-sidecar credentials import",
    );
  }
  if (stored.credentials.pending !== null) {
    return warn(
      "credentials",
      "They can be read, but a password reset was begun whose end is not known.",
      "Settle it with: presto-sidecar password reset",
    );
  }
  if (stored.sealedWithFirstKey === false) {
    return warn(
      "credentials",
      "They can be read, but with another than the first of the store keys.",
      "Start a role that issues with these keys, which seals them with the first one, before you take the other key away.",
    );
  }
  return ok("credentials", `The e-mail address and the password can be read (${kind}:).`);
}

import { Failure } from "../errors.ts";
import type { Account } from "../presto/auth.ts";
import type { CredentialStore, StoredCredentials } from "../store/contract.ts";

/**
 * Stores the account that a person gives, by compare-and-set on what stands there.
 * @returns true if it took the place of another
 * @throws Failure `refused` while an unsettled password stands there, or where nothing can be written; `try-again` where somebody else wrote
 * @throws StoreError as the store does
 */
export async function storeAccount(store: CredentialStore, account: Account): Promise<boolean> {
  if (store.write === undefined) {
    throw new Failure("refused", "These credentials can't be written. Nothing was stored.");
  }
  const current = await store.read();
  refuseWhilePending(current);
  try {
    const { outcome } = await store.write({ ...account, pending: null }, current?.version);
    if (outcome === "written") return current !== undefined;
  } catch (error) {
    // It may have been applied: only a fresh read can tell.
    const found = await store.read().catch(() => undefined);
    if (isAccount(found, account)) return current !== undefined;
    throw error;
  }
  throw new Failure(
    "try-again",
    "Somebody else changed the credentials at the same moment. Nothing was stored. Try again if it is still wanted.",
  );
}

/** A pending password may be the account's by now, and is known to nobody else: it is never dropped for another. */
export function refuseWhilePending(current: StoredCredentials | undefined): void {
  if (current === undefined || current.credentials.pending === null) return;
  throw new Failure(
    "refused",
    "A password reset was begun whose end is not known: the new password, which stands only there, may be the account's by now. Nothing was stored. Settle it first with: presto-sidecar password reset. If Presto refuses both passwords, move the file of PRESTO_CREDENTIALS away, keep it, and import again.",
  );
}

function isAccount(found: StoredCredentials | undefined, { email, password }: Account): boolean {
  if (found === undefined || found.credentials.pending !== null) return false;
  return (
    found.credentials.email.fingerprint() === email.fingerprint() &&
    found.credentials.password.fingerprint() === password.fingerprint()
  );
}

import type { Clock } from "../clock.ts";
import type { Account } from "../presto/auth.ts";
import type { CredentialStore, Credentials } from "../store/contract.ts";
import { noCredentials } from "../store/credentials.ts";

/** The accounts that a token may be asked for with: one e-mail, and one password or, after an unsettled reset, two. */
export interface Accounts {
  /** The next one that Presto has not refused; undefined where all were. Throws where the credentials can't be read, or are not there. */
  next(): Promise<Account | undefined>;
  /** All were refused: may one of them be right a while later? So it is while a reset may still be executed. */
  mayBeRightLater(): boolean;
  /** Presto answered 401 to it: it is not tried again until the credentials change. */
  refused(account: Account): void;
  /** All are tried again. */
  forget(): void;
  /** A token was issued with it: a pending password that worked takes the place of the old one. Rejects where that can't be written. */
  proved(account: Account): Promise<void>;
}

export interface AccountsOptions {
  readonly clock: Pick<Clock, "monotonic">;
  /** Longest time that Presto may still execute a reset whose client is gone, milliseconds. */
  readonly settleMs: number;
}

/** A pending password, as this process has seen it. */
interface Pending {
  readonly id: string;
  /** Monotonic time from which on a refusal is final: no reset to it can be executed any more. */
  readonly settledAt: number;
}

/** Over the credential store; what was refused is kept in memory, so a restart tries once more. */
export function createAccounts(store: CredentialStore, { clock, settleMs }: AccountsOptions): Accounts {
  /** When each was refused, monotonic. */
  const refusals = new Map<string, number>();
  let version: string | undefined;
  let pending: Pending | undefined;

  async function read(): Promise<Credentials> {
    const stored = await store.read();
    if (stored === undefined) throw noCredentials();
    if (stored.version !== version) notice(stored.credentials);
    version = stored.version;
    return stored.credentials;
  }

  /** They have changed: what was refused may be right by now. */
  function notice({ email, pending: password }: Credentials): void {
    refusals.clear();
    const id = password === null ? undefined : idOf({ email, password });
    if (id === undefined) pending = undefined;
    else if (id !== pending?.id) pending = { id, settledAt: clock.monotonic() + settleMs };
  }

  function mayBeRightLater(): boolean {
    return pending !== undefined && (refusals.get(pending.id) ?? Infinity) < pending.settledAt;
  }

  return {
    async next() {
      const accounts = accountsOf(await read());
      // Refused while its reset could still be executed: asked once more when it no longer can.
      if (pending !== undefined && mayBeRightLater() && clock.monotonic() >= pending.settledAt)
        refusals.delete(pending.id);
      return accounts.find((account) => !refusals.has(idOf(account)));
    },
    mayBeRightLater,
    refused(account) {
      refusals.set(idOf(account), clock.monotonic());
    },
    forget: () => refusals.clear(),
    async proved(account) {
      refusals.clear();
      const stored = await store.read();
      const waiting = stored?.credentials.pending ?? null;
      if (stored === undefined || waiting === null) return;
      if (waiting.fingerprint() !== account.password.fingerprint()) return;
      await store.write?.({ ...stored.credentials, password: waiting, pending: null }, stored.version);
    },
  };
}

/** The pending password first: if the reset went through, it is the only one that works. */
function accountsOf({ email, password, pending }: Credentials): Account[] {
  const current = { email, password };
  return pending === null ? [current] : [{ email, password: pending }, current];
}

function idOf({ email, password }: Account): string {
  return `${email.fingerprint()} ${password.fingerprint()}`;
}

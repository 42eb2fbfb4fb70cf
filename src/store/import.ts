import { randomUUID } from "node:crypto";

import type { Clock } from "../clock.ts";
import { CommandError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import type {
  Credentials,
  CredentialStore,
  Intent,
  StoredCredentials,
  StoredRecord,
  TokenRecord,
  TokenStore,
  WritableStore,
  WriteResult,
} from "./contract.ts";
import { fillInHome, homeOf } from "./home.ts";

/** A token that a person puts into the store. */
export interface TokenImport {
  readonly token: Secret;
  readonly name: string | null;
  /** Null where it is not known. */
  readonly expiresAt: Date | null;
}

export interface ImportDeps {
  readonly clock: Pick<Clock, "now">;
  /** Asks Presto whether the token lives, where an intent stands: then no other token does, and the renewal that left it can't bring one any more. Only a proof counts. */
  readonly isAlive: () => Promise<boolean>;
  /** Where the lock could not be had, why: then too only a token that is proved alive is stored, by compare-and-set alone. */
  readonly heldByOther?: CommandError | undefined;
}

/**
 * Stores a token as the next generation. An intent that stands is kept, since its call may still
 * be executed, but proves nothing by the token's death any more. The store compares and sets under its own lock: a
 * record that changed since it was read here is never overwritten.
 * @returns what stands in the store now
 * @throws CommandError `try-again` if a renewal is under way and the token is not proved alive, or somebody else wrote; `refused` if the store is read-only
 * @throws StoreError as the store does
 */
export async function importToken(
  store: TokenStore,
  wanted: TokenImport,
  { clock, isAlive, heldByOther }: ImportDeps,
): Promise<TokenRecord> {
  const { write } = store;
  const current = await store.read();
  const intent = current?.record.intent ?? null;
  if ((intent !== null || heldByOther !== undefined) && !(await isAlive()))
    throw heldByOther ?? notProvedAlive(intent);
  if (write === undefined)
    throw new CommandError("refused", "This store can't be written. Nothing was stored.");
  const record = nextRecord(current, wanted, new Date(clock.now()));
  const written = await isWritten(
    () => write(record, current?.version),
    async () => (await store.read())?.record.writtenBy?.holder === record.writtenBy?.holder,
  );
  if (written && current === undefined) await nameHome({ read: () => store.read(), write }, record);
  if (written) return record;
  throw new CommandError(
    "try-again",
    "Somebody else changed the record at the same moment. Nothing was stored. See what stands there now (presto-sidecar token show), and try again if it is still wanted.",
  );
}

/** The token is stored already: what fails here is filled in by the next who writes. */
async function nameHome(store: WritableStore, record: TokenRecord): Promise<void> {
  const found = await store.read().catch(() => undefined);
  if (found?.record.writtenBy?.holder !== record.writtenBy?.holder) return;
  if (found !== undefined) await fillInHome(store, record, found.version).catch(() => {});
}

function notProvedAlive(intent: Intent | null): CommandError {
  const since = intent === null ? "" : ` since ${intent.at.toISOString()}`;
  return new CommandError(
    "try-again",
    `A renewal is under way${since}, and its end is not known yet; beside it only a token is stored that Presto accepts, and this one was not proved to live. Nothing was stored. Try again when the renewal has ended; where no sidecar runs that could end it: presto-sidecar token renew`,
  );
}

/** @throws CommandError `try-again` where the record shows a renewal whose end is not known */
export function refuseWhileRenewed(current: StoredRecord | undefined): void {
  const intent = current?.record.intent ?? null;
  if (intent === null) return;
  throw new CommandError(
    "try-again",
    `A renewal is under way since ${intent.at.toISOString()}, and its end is not known yet. Nothing was stored. Try again when it has ended; where no sidecar runs that could end it: presto-sidecar token renew`,
  );
}

function nextRecord(found: StoredRecord | undefined, wanted: TokenImport, now: Date): TokenRecord {
  const current = found?.record;
  return {
    ...current,
    schema: 1,
    generation: (current?.generation ?? 0) + 1,
    token: wanted.token,
    name: wanted.name,
    issuedAt: now,
    expiresAt: wanted.expiresAt,
    dueWhenIssued: false,
    intent: current === undefined || current.intent === null ? null : { ...current.intent, soleCall: false },
    // An import clears neither: they are about the account, not about this token.
    unexplainedDeaths: current?.unexplainedDeaths ?? [],
    stopped: current?.stopped ?? null,
    // Whoever puts a token there looks after it there.
    home: homeOf(found),
    writtenBy: { holder: randomUUID(), lock: "token import" },
  };
}

/**
 * Stores the account that a person gives, by compare-and-set on what stands there.
 * @returns true if it took the place of another
 * @throws CommandError `refused` while an unsettled password stands there, or where nothing can be written; `try-again` where somebody else wrote
 * @throws StoreError as the store does
 */
export async function importAccount(
  store: CredentialStore,
  account: Omit<Credentials, "pending">,
): Promise<boolean> {
  const { write } = store;
  if (write === undefined) {
    throw new CommandError("refused", "These credentials can't be written. Nothing was stored.");
  }
  const current = await store.read();
  refuseWhilePending(current);
  const written = await isWritten(
    () => write({ ...account, pending: null }, current?.version),
    async () => isAccount(await store.read(), account),
  );
  if (written) return current !== undefined;
  throw new CommandError(
    "try-again",
    "Somebody else changed the credentials at the same moment. Nothing was stored. Try again if it is still wanted.",
  );
}

/** A pending password may be the account's by now, and is known to nobody else: it is never dropped for another. */
export function refuseWhilePending(current: StoredCredentials | undefined): void {
  if (current === undefined || current.credentials.pending === null) return;
  throw new CommandError(
    "refused",
    "A password reset was begun whose end is not known: the new password, which stands only there, may be the account's by now. Nothing was stored. Settle it first with: presto-sidecar password reset. If Presto refuses both passwords, move the file of PRESTO_CREDENTIALS away, keep it, and import again.",
  );
}

function isAccount(
  found: StoredCredentials | undefined,
  { email, password }: Omit<Credentials, "pending">,
): boolean {
  if (found === undefined || found.credentials.pending !== null) return false;
  return (
    found.credentials.email.fingerprint() === email.fingerprint() &&
    found.credentials.password.fingerprint() === password.fingerprint()
  );
}

/**
 * Writes by compare-and-set. A write that throws may have been applied: only a fresh read can tell.
 * @param stands reads whether what was written stands in the store
 * @returns false where something else stood there than was expected
 * @throws what the write throws, where it does not stand there
 */
export async function isWritten(
  write: () => Promise<WriteResult>,
  stands: () => Promise<boolean>,
): Promise<boolean> {
  try {
    return (await write()).outcome === "written";
  } catch (error) {
    if (await stands().catch(() => false)) return true;
    throw error;
  }
}

import { loadConfig } from "../config/load.ts";
import { CommandError } from "../errors.ts";
import { aText, exactObject, RecordFormatError } from "../lib/json.ts";
import type { Account } from "../presto/auth.ts";
import { Secret } from "../secret.ts";
import type { CredentialStore, StoredCredentials } from "../store/contract.ts";
import { faultOfEmail, faultOfPassword } from "../store/credentials.ts";
import { openCredentials, openRenewalLock, openStore, type StoreOptions } from "../store/open.ts";
import type { Io, Run } from "./command.ts";
import { refuseKeyless, withRenewalLock } from "./renew-locally.ts";
import { createPrompts, decodeUtf8, printJson, printLine, printNote, readToEnd } from "./terminal.ts";

/** Puts the account's e-mail and password, from prompts or standard input, into PRESTO_CREDENTIALS. */
export const credentialsImport: Run = async (args, io) => {
  const config = loadConfig(io.env, io.execArgv, "write-credentials");
  for (const warning of config.warnings) printNote(io, `Warning: ${warning}`);
  const credentials = await openCredentials(config.credentials, { clock: io.clock });
  try {
    // Whoever would be refused is told before typing anything.
    refuseWhilePending(await credentials.read().catch(refuseKeyless(config.credentials)));
    const account = await readAccount(io);
    const replaced = await beside(config.store, io, () => storeAccount(credentials, account));
    if (args.flag("json")) printJson(io, { stored: true, replaced });
    else {
      printLine(
        io,
        `The credentials are stored, sealed${replaced ? ", in the place of those that stood there" : ""}. Whether Presto accepts them shows when a token is issued.`,
      );
    }
    return 0;
  } finally {
    credentials.close();
  }
};

/** Where a token is looked after here, no renewal is under way meanwhile. */
async function beside<T>(options: StoreOptions, io: Io, work: () => Promise<T>): Promise<T> {
  if (!options.canWrite) return work();
  const store = await openStore(options, { clock: io.clock });
  try {
    return await withRenewalLock(openRenewalLock(store), io, work);
  } finally {
    store.close();
  }
}

/**
 * Stores the account that a person gives, by compare-and-set on what stands there.
 * @returns true if it took the place of another
 * @throws CommandError `refused` while an unsettled password stands there, or where nothing can be written; `try-again` where somebody else wrote
 * @throws StoreError as the store does
 */
export async function storeAccount(store: CredentialStore, account: Account): Promise<boolean> {
  if (store.write === undefined) {
    throw new CommandError("refused", "These credentials can't be written. Nothing was stored.");
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

function isAccount(found: StoredCredentials | undefined, { email, password }: Account): boolean {
  if (found === undefined || found.credentials.pending !== null) return false;
  return (
    found.credentials.email.fingerprint() === email.fingerprint() &&
    found.credentials.password.fingerprint() === password.fingerprint()
  );
}

/**
 * The account's e-mail and password: from prompts where standard input is a terminal, or else
 * from standard input as `{"email": "…", "password": "…"}`.
 * @throws CommandError `input-refused`, which shows nothing of what was given
 */
export async function readAccount(io: Io): Promise<Account> {
  const { email, password } = io.stdin.isTTY === true ? await askAccount(io) : await readJson(io);
  refuseFault("The e-mail address", faultOfEmail(email));
  refuseFault("The password", faultOfPassword(password));
  return { email: new Secret(email), password: new Secret(password) };
}

interface AccountText {
  readonly email: string;
  readonly password: string;
}

async function askAccount(io: Io): Promise<AccountText> {
  const prompts = createPrompts(io);
  try {
    const email = await prompts.shown("E-mail address of the account");
    return { email, password: await prompts.hidden("Password") };
  } finally {
    prompts.close();
  }
}

async function readJson(io: Io): Promise<AccountText> {
  const text = decodeUtf8(await readToEnd(io));
  try {
    return exactObject(JSON.parse(text), "it", "", (field) => ({
      email: field("email", aText),
      password: field("password", aText),
    }));
  } catch (error) {
    // The parser's own error quotes the text: it goes no further.
    const what = error instanceof RecordFormatError ? error.message : "it is not JSON";
    throw new CommandError(
      "input-refused",
      `Standard input can't be used: ${what}. Give {"email": "…", "password": "…"} and nothing else. Nothing was stored.`,
    );
  }
}

/** @throws CommandError `input-refused` where there is a fault */
export function refuseFault(what: string, fault: string | undefined): void {
  if (fault !== undefined) throw new CommandError("input-refused", `${what} ${fault}. Nothing was stored.`);
}

import { loadConfig } from "../config/load.ts";
import { CommandError } from "../errors.ts";
import { aText, exactObject, parseJson, RecordFormatError } from "../lib/json.ts";
import type { Account } from "../presto/auth.ts";
import { Secret } from "../secret.ts";
import { faultOfEmail, faultOfPassword } from "../store/credentials.ts";
import { importAccount, refuseWhilePending } from "../store/import.ts";
import { openCredentials, openStore, type StoreOptions } from "../store/open.ts";
import { openRenewalLock } from "../store/renewal-lock.ts";
import { recorded } from "./command-record.ts";
import type { Io, Run } from "./command.ts";
import { createPrompts, decodeUtf8, readToEnd } from "./prompts.ts";
import { refuseKeyless, withRenewalLock } from "./store-client.ts";
import { printResult, printWarning, printWarnings } from "./terminal.ts";

/** Puts the account's e-mail and password, from prompts or standard input, into PRESTO_CREDENTIALS. */
export const credentialsImport: Run = async (args, io) => {
  const config = loadConfig(io.env, io.execArgv, "write-credentials");
  printWarnings(io, config);
  const credentials = await openCredentials(config.credentials, { clock: io.clock, emit: printWarning(io) });
  try {
    // Whoever would be refused is told before typing anything.
    refuseWhilePending(await credentials.read().catch(refuseKeyless(config.credentials)));
    const account = await readAccount(io);
    const replaced = await recorded(config, io, "credentials import", async (note) => {
      const done = await beside(config.store, io, () => importAccount(credentials, account));
      note({ type: "credentials-imported", replaced: done });
      return done;
    });
    printResult(
      io,
      args.flag("json"),
      { stored: true, replaced },
      `The credentials are stored, ${config.credentials.keys === undefined ? "in the clear" : "sealed"}${replaced ? ", in the place of those that stood there" : ""}. Whether Presto accepts them shows when a token is issued.`,
    );
    return 0;
  } finally {
    await credentials.logOut?.();
    credentials.close();
  }
};

/** Where a token is looked after here, no renewal is under way meanwhile. */
async function beside<T>(options: StoreOptions, io: Io, work: () => Promise<T>): Promise<T> {
  if (!options.canWrite) return work();
  const store = await openStore(options, { clock: io.clock });
  const lock = await openRenewalLock({ store, use: "record", options, clock: io.clock });
  try {
    return await withRenewalLock(lock, io, work);
  } finally {
    await store.logOut?.();
    lock.close();
    store.close();
  }
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
    return exactObject(parseJson(text, "it"), "it", "", (field) => ({
      email: field("email", aText),
      password: field("password", aText),
    }));
  } catch (error) {
    if (!(error instanceof RecordFormatError)) throw error;
    throw new CommandError(
      "input-refused",
      `Standard input can't be used: ${error.message}. Give {"email": "…", "password": "…"} and nothing else. Nothing was stored.`,
    );
  }
}

/** @throws CommandError `input-refused` where there is a fault */
function refuseFault(what: string, fault: string | undefined): void {
  if (fault !== undefined) throw new CommandError("input-refused", `${what} ${fault}. Nothing was stored.`);
}

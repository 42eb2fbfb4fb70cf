import { loadCredentialConfig } from "../config/load.ts";
import { type LockedPlace, openCredentials, openRenewalLock } from "../store/open.ts";
import { readAccount } from "./account-input.ts";
import type { Io, Run } from "./command.ts";
import { printJson, printLine, printNote } from "./output.ts";
import { refuseKeyless } from "./refuse-keyless.ts";
import { refuseWhilePending, storeAccount } from "./store-account.ts";
import { withRenewalLock } from "./with-renewal-lock.ts";

/** Puts the account's e-mail and password, from prompts or standard input, into PRESTO_CREDENTIALS. */
export const credentialsImport: Run = async (args, io) => {
  const config = loadCredentialConfig(io.env, io.execArgv);
  for (const warning of config.warnings) printNote(io, `Warning: ${warning}`);
  const credentials = await openCredentials(config.credentials, { clock: io.clock });
  try {
    // Whoever would be refused is told before typing anything.
    refuseWhilePending(await credentials.read().catch(refuseKeyless(credentials.kind)));
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
async function beside<T>(store: LockedPlace | undefined, io: Io, work: () => Promise<T>): Promise<T> {
  if (store === undefined) return work();
  return withRenewalLock(openRenewalLock(store, { clock: io.clock }), io, work);
}

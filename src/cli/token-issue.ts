import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/sections.ts";
import { CommandError, exitCodes } from "../errors.ts";
import type { RenewalDeps } from "../renewal/run.ts";
import type { TokenRecord } from "../store/contract.ts";
import type { Io, Run } from "./command.ts";
import { confirm } from "./prompts.ts";
import { explainAlarm, issuingConfig, renewLocally } from "./renew-locally.ts";
import { refuseKeyless } from "./store-client.ts";
import { printNote, printWarnings } from "./terminal.ts";

/** Has Presto issue a token, which revokes the stored one, and stores it. */
export const tokenIssue: Run = async (args, io) => {
  const config = issuingConfig(loadConfig(io.env, io.execArgv));
  printWarnings(io, config);
  const agreed = args.flag("yes");
  if (!agreed && io.stdin.isTTY !== true) {
    throw new CommandError(
      "usage",
      '"token issue" revokes every token of the account, and there is no terminal to ask at. Give --yes if that is wanted.',
    );
  }
  try {
    return await renewLocally(
      config,
      {
        command: "token issue",
        force: false,
        asJson: args.flag("json"),
        before: (deps) => ask(deps, config, agreed, io),
      },
      io,
    );
  } catch (error) {
    if (!(error instanceof Declined)) throw error;
    printNote(io, "Nothing was issued, and nothing was changed.");
    return exitCodes.unexpected;
  }
};

/** The person at the terminal did not say yes. */
class Declined extends Error {
  override readonly name = "Declined";
}

async function ask({ store }: RenewalDeps, config: Config, agreed: boolean, io: Io): Promise<void> {
  const record = (await store.read().catch(refuseKeyless(config.store)))?.record;
  const stopped = record?.stopped ?? null;
  if (stopped !== null) {
    throw new CommandError(
      "refused",
      `The alarm is on since ${stopped.at.toISOString()}, and nothing was issued. ${explainAlarm(stopped.reason)}`,
    );
  }
  printNote(io, whatIsRevoked(record));
  if (!agreed && !(await confirm(io, "Issue a token?"))) throw new Declined();
}

function whatIsRevoked(record: TokenRecord | undefined): string {
  const everybody =
    "Issuing revokes every token of the account at once, also those that other deployments use.";
  if (record === undefined || record.token === null) return `${everybody} The store holds none yet.`;
  const name = record.name === null ? "without a name" : `"${record.name}"`;
  const expiry = record.expiresAt === null ? "unknown" : record.expiresAt.toISOString();
  return `${everybody} The stored one is ${name}, generation ${record.generation}, fingerprint ${record.token.fingerprint()}, expiry ${expiry}.`;
}

import { loadConsole } from "../config/load-listeners.ts";
import { loadConfig } from "../config/load.ts";
import { Failure } from "../errors.ts";
import { untilStopped } from "../lib/async.ts";
import { askRenewal, type RenewedThere } from "./ask-renewal.ts";
import type { Arguments, Io, Run } from "./command.ts";
import { printJson, printLine, printNote } from "./output.ts";
import { issuingConfig, renewHere } from "./renew-here.ts";
import { readDuration, type WrittenDuration } from "./time-limit.ts";

/** Renews the token: by the sidecar that runs here, or by itself where none does. */
export const tokenRenew: Run = async (args, io) => {
  const wish = { force: args.flag("force"), wait: readWait(args) };
  const { controlListen } = loadConsole(io.env);
  if (controlListen !== undefined) {
    const renewed = await untilStopped(io.signal, askRenewal(io, controlListen, wish));
    if (renewed !== undefined) return report(io, renewed, args);
  }
  const config = issuingConfig(loadConfig(io.env, io.execArgv));
  for (const warning of config.warnings) printNote(io, `Warning: ${warning}`);
  printNote(io, "No sidecar answers on the control listener, so this command renews by itself.");
  return renewHere(config, { force: wish.force, asJson: args.flag("json") }, io);
};

/** A sidecar keeps nobody waiting for longer. */
const longestWaitMs = 10 * 60_000;

function readWait(args: Arguments): WrittenDuration {
  const wait = readDuration(args, "wait", "30s");
  if (wait.ms <= longestWaitMs) return wait;
  throw new Failure("usage", "--wait: 10m is the most. The renewal goes on without it.");
}

function report(io: Io, { generation, expiresAt }: RenewedThere, args: Arguments): number {
  if (args.flag("json")) printJson(io, { renewed: true, generation, expires_at: expiresAt });
  else {
    printLine(io, `The sidecar has stored a new token, generation ${generation}.`);
    printLine(io, expiresAt === null ? "When it expires is unknown." : `It expires at ${expiresAt}.`);
  }
  return 0;
}

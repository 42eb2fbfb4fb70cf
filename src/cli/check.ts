import { describeConfig, formatConfig } from "../config/describe.ts";
import { examineConfig } from "../config/load.ts";
import { configError } from "../config/parse.ts";
import { exitCodes } from "../errors.ts";
import type { Run } from "./command.ts";
import { printJson, printWarnings } from "./terminal.ts";

/** Prints the configuration, secrets masked. Opens nothing. */
export const check: Run = async (args, io) => {
  const { config, problems } = examineConfig(io.env, io.execArgv);
  if (config === undefined) {
    if (!args.flag("json")) throw configError(problems);
    printJson(io, { problems });
    return exitCodes.configuration;
  }
  const rows = describeConfig(io.env);
  if (args.flag("json")) {
    printJson(io, { variables: rows, warnings: config.warnings });
    return 0;
  }
  io.stdout.write(formatConfig(rows));
  printWarnings(io, config);
  return 0;
};

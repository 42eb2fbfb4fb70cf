import { describeConfig, formatConfig } from "../config/describe.ts";
import { loadConfig } from "../config/load.ts";
import type { Run } from "./command.ts";
import { printJson, printWarnings } from "./terminal.ts";

/** Prints the configuration, secrets masked. Opens nothing. */
export const check: Run = async (args, io) => {
  const config = loadConfig(io.env, io.execArgv);
  const rows = describeConfig(io.env);
  if (args.flag("json")) {
    printJson(io, { variables: rows, warnings: config.warnings });
    return 0;
  }
  io.stdout.write(formatConfig(rows));
  printWarnings(io, config);
  return 0;
};

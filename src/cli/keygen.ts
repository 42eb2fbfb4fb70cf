import { randomBytes } from "node:crypto";

import type { Run } from "./command.ts";
import { printLine } from "./terminal.ts";

/** AES-256's key size. */
const keyBytes = 32;

/** Prints a new store key. */
export const keygen: Run = async (_args, io) => {
  printLine(io, randomBytes(keyBytes).toString("base64"));
  return 0;
};

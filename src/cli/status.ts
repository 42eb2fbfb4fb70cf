import { loadListeners } from "../config/load-listeners.ts";
import { CommandError } from "../errors.ts";
import { isObject } from "../lib/json.ts";
import { type Run, startTimeLimit, waitUntil } from "./command.ts";
import { getFromAdmin, isNobodyThere, readStatus } from "./sidecar-client.ts";
import { printable, printError, printJson, printTable } from "./terminal.ts";

/** Shows what the admin listener says of the sidecar. */
export const status: Run = async (args, io) => {
  const answer = await readStatus(io, loadListeners(io.env).adminListen);
  if (args.flag("json")) printJson(io, answer);
  else printTable(io, flatten(answer, ""));
  return 0;
};

function flatten(value: unknown, name: string): [name: string, value: string][] {
  if (!isObject(value)) return [[name, show(value)]];
  return Object.entries(value).flatMap(([key, inner]) =>
    flatten(inner, name === "" ? key : `${name}.${key}`),
  );
}

function show(value: unknown): string {
  if (value === null) return "-";
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}

/** Container runtimes give a check a few seconds, and then kill it without a word. */
const answerWithinMs = 3000;

/** Asks once. 0 or 1 and nothing else: Docker gives other codes no meaning, and reserves 2. */
export const healthcheck: Run = async (args, io) => {
  const path = args.flag("live") ? "/livez" : "/readyz";
  try {
    const answer = await getFromAdmin(io, loadListeners(io.env).adminListen, path, answerWithinMs);
    if (answer.status === 200) return 0;
    printError(io, `not ${args.flag("live") ? "alive" : "ready"}: ${reasons(answer.body, answer.status)}`);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    printError(io, error.message);
  }
  return 1;
};

/** The closed latches, which come one a line, on one line. */
function reasons(body: string, status: number): string {
  const lines = body.split("\n").map((line) => line.replace(/\p{Cc}/gu, " ").trim());
  const told = lines.filter((line) => line !== "").join("; ");
  return told === "" ? `HTTP ${status}` : told;
}

/** Asks until the sidecar is ready. */
export const wait: Run = async (args, io) => {
  const limit = startTimeLimit(args, io);
  const admin = loadListeners(io.env).adminListen;
  let reason: string | undefined;
  const isReady = async (): Promise<boolean> => {
    try {
      const answer = await getFromAdmin(io, admin, "/readyz", Math.max(limit.left(), 1));
      if (answer.status === 200) return true;
      reason = `It says: ${reasons(answer.body, answer.status)}`;
    } catch (error) {
      // It may not have been started yet.
      if (!(error instanceof CommandError) || error.code !== "unreachable") throw error;
      // An answer that our own limit cut off tells less than what was told before.
      if (reason === undefined || isNobodyThere(error)) reason = error.message;
    }
    return false;
  };
  await waitUntil(io, limit, isReady, () => `Not ready within ${limit.text}. ${reason}`);
  return 0;
};

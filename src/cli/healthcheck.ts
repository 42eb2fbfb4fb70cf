import { loadConsole } from "../config/load-listeners.ts";
import { Failure } from "../errors.ts";
import type { Run } from "./command.ts";
import { printError } from "./output.ts";
import { askAdmin } from "./sidecar-state.ts";

/** Container runtimes give a check a few seconds, and then kill it without a word. */
const answerWithinMs = 3000;

/** Asks once. 0 or 1 and nothing else: Docker gives other codes no meaning, and reserves 2. */
export const healthcheck: Run = async (args, io) => {
  const path = args.flag("live") ? "/livez" : "/readyz";
  try {
    const answer = await askAdmin(io, loadConsole(io.env).adminListen, path, answerWithinMs);
    if (answer.status === 200) return 0;
    printError(io, `not ${args.flag("live") ? "alive" : "ready"}: ${reasons(answer.body, answer.status)}`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    printError(io, error.message);
  }
  return 1;
};

/** The closed latches, which come one a line, on one line. */
export function reasons(body: string, status: number): string {
  const lines = body.split("\n").map((line) => line.replace(/\p{Cc}/gu, " ").trim());
  const told = lines.filter((line) => line !== "").join("; ");
  return told === "" ? `HTTP ${status}` : told;
}

import { loadListeners } from "../config/load-listeners.ts";
import { CommandError, systemCode } from "../errors.ts";
import type { JsonObject } from "../lib/json.ts";
import { type Arguments, type Io, type Run, startTimeLimit, waitUntil } from "./command.ts";
import { getFromAdmin, isNobodyThere, readStatus } from "./sidecar-client.ts";
import { statusText } from "./status-text.ts";
import { printError, printJson, printLine, styled } from "./terminal.ts";

/** Milliseconds between two looks of `--watch`. */
const watchEveryMs = 2000;
/** To the upper left corner, and away with all below (ECMA-48: CUP, ED). */
const anew = "\u001B[H\u001B[J";

/** Shows what the admin listener says of the sidecar, once, or again and again until the command is stopped. */
export const status: Run = async (args, io) => {
  const admin = loadListeners(io.env).adminListen;
  const print = (answer: JsonObject): void => {
    if (args.flag("json")) printJson(io, answer);
    else for (const line of statusLines(io, answer)) printLine(io, line);
  };
  if (!args.flag("watch")) {
    print(await readStatus(io, admin));
    return 0;
  }
  const isPage = io.stdout.isTTY === true && !args.flag("json");
  for (;;) {
    const answer = await readStatus(io, admin).catch((error: unknown) => {
      // It may come back: that is what is watched for.
      if (error instanceof CommandError && error.code === "unreachable") return error;
      throw error;
    });
    if (isPage) io.stdout.write(anew);
    if (answer instanceof CommandError) printError(io, answer.message);
    else print(answer);
    await io.clock.sleep(watchEveryMs, io.signal);
  }
};

function statusLines(io: Io, answer: JsonObject): readonly string[] {
  const { stdout } = io;
  return statusText(answer, io.clock.now(), {
    strong: (text) => styled(io, stdout, "bold", text),
    good: (text) => styled(io, stdout, "green", text),
    bad: (text) => styled(io, stdout, "red", text),
    odd: (text) => styled(io, stdout, "yellow", text),
  });
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

/** Asks until the sidecar is ready, or for as long as a process lives. */
export const wait: Run = async (args, io) => {
  const limit = startTimeLimit(args, io);
  const pid = readPid(args);
  const admin = loadListeners(io.env).adminListen;
  let reason: string | undefined;
  const isReady = async (): Promise<boolean> => {
    if (pid !== undefined && !isRunning(pid))
      throw new CommandError("unreachable", `Process ${pid} has ended. Its log says why.`);
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

/** @throws CommandError `usage` */
function readPid(args: Arguments): number | undefined {
  const text = args.text("pid");
  if (text === undefined || /^[1-9]\d{0,9}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new CommandError("usage", "--pid: is not the number of a process.");
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Another user's runs, too.
    return systemCode(error) === "EPERM";
  }
}

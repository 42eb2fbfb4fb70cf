import { CommandError, exitCodes } from "../errors.ts";
import { isAnyAsked } from "../files/stalls.ts";
import { StoreError, type StoreErrorCode } from "../store/contract.ts";
import { StopSignal } from "./signals.ts";

/**
 * Ends the process. The runtime joins its threads at its end, and one that waits in the kernel for
 * a file system that does not answer is never joined; putting another program in the place of this
 * one ends them (execve(2)), and that one ends with the exit code.
 */
export function endProcess(process: NodeJS.Process, code: number): void {
  if (isAnyAsked()) {
    try {
      process.execve?.(process.execPath, [process.execPath, "--eval", `process.exit(${code})`], {});
    } catch {
      // As below.
    }
  }
  process.exit(code);
}

/** How a command that failed ends. */
export interface Exit {
  readonly code: number;
  /** For standard error; undefined where there is nothing to say. Never holds a secret. */
  readonly message: string | undefined;
}

/**
 * A record that can't be read is a matter of configuration: trying again does not help,
 * and nothing may be overwritten. One that is not there yet is simply no token; and a server
 * may be away, or refuse.
 */
const storeExits: Readonly<Record<StoreErrorCode, number>> = {
  unreadable: exitCodes.configuration,
  unreachable: exitCodes.unreachable,
  refused: exitCodes.refused,
  "wrong-key": exitCodes.configuration,
  damaged: exitCodes.configuration,
  "newer-schema": exitCodes.configuration,
  "bad-token": exitCodes.configuration,
  "bad-credentials": exitCodes.configuration,
  "not-yet": exitCodes["no-token"],
};

/** The exit code and the message of an error that ended a command. */
export function exitOf(error: unknown): Exit {
  if (error instanceof CommandError) return { code: error.exitCode, message: error.message };
  if (error instanceof StoreError) return { code: storeExits[error.code], message: error.message };
  if (error instanceof StopSignal) return { code: error.exitCode, message: undefined };
  return { code: exitCodes.unexpected, message: describeDefect(error) };
}

/**
 * One line about an error that nobody foresaw. Its message and its stack's first line are
 * left out: they may quote what was being worked on. Its kind and the place suffice for a report.
 */
export function describeDefect(error: unknown): string {
  const kind = error instanceof Error ? error.name : typeof error;
  const code =
    typeof error === "object" && error !== null && "code" in error && typeof error.code === "string"
      ? error.code
      : "";
  const place = error instanceof Error ? firstFrame(error) : undefined;
  const what = [kind, code].filter((part) => /^[A-Za-z][A-Za-z0-9_]*$/.test(part)).join(" ");
  return `It failed in a way that was not foreseen (${what === "" ? "no name" : what}${place === undefined ? "" : ` at ${place}`}). This is a defect: please report this line.`;
}

/** `file.js:12:3` of the innermost frame; never the path of the folder, which may name people. */
function firstFrame({ message, stack = "" }: Error): string | undefined {
  // A stack begins with the message, whose lines may look like frames.
  const start = stack.indexOf(message);
  if (start < 0) return undefined;
  const frames = stack
    .slice(start + message.length)
    .split("\n")
    .slice(1);
  const frame = frames.find((line) => /^\s+at /.test(line)) ?? "";
  return /([\w.-]+\.[cm]?[jt]s:\d+:\d+)\)?$/.exec(frame)?.[1];
}

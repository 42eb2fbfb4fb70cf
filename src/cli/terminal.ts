import { styleText } from "node:util";

import type { Emit, Warning } from "../lib/events.ts";
import type { LogFormat } from "../observe/log-format.ts";
import type { Io, Sink } from "./command.ts";

/** A line on standard output. */
export function printLine(io: Io, text: string): void {
  io.stdout.write(`${text}\n`);
}

/** A value as JSON on standard output, for machines: indented, one value. */
export function printJson(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** What a command came to: one value for machines, or lines for people. */
export function printResult(io: Io, asJson: boolean, value: unknown, ...lines: readonly string[]): void {
  if (asJson) printJson(io, value);
  else for (const line of lines) printLine(io, line);
}

/** When a token expires, for people. */
export function expirySentence(expiresAt: string | null): string {
  return expiresAt === null ? "When it expires is unknown." : `It expires at ${expiresAt}.`;
}

/** A line about what is wrong, on standard error, with the program's name. */
export function printError(io: Io, text: string): void {
  io.stderr.write(`presto-sidecar: ${text}\n`);
}

/** A remark on standard error, so that standard output holds the result alone. */
export function printNote(io: Io, text: string): void {
  io.stderr.write(`${text}\n`);
}

/** What is odd about a configuration that is sound all the same. */
export function printWarnings(io: Io, { warnings }: { readonly warnings: readonly string[] }): void {
  for (const warning of warnings) printNote(io, `Warning: ${warning}`);
}

/** What a part of the program warns of while a command uses it. */
export function printWarning(io: Io): Emit<Warning> {
  return ({ message }) => printNote(io, `Warning: ${message}`);
}

/** What comes from a socket may hold anything; a terminal obeys control characters. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}

/** Rows of names and values, in two columns. */
export function printTable(io: Io, rows: readonly (readonly [name: string, value: string])[]): void {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  for (const [name, value] of rows) printLine(io, `${name.padEnd(width)}  ${value}`);
}

/**
 * Text in bold on a terminal, plain elsewhere.
 * @see https://no-color.org: NO_COLOR, when it is not empty, turns it off
 */
export function bold(io: Io, sink: Sink, text: string): string {
  return styled(io, sink, "bold", text);
}

/** As `bold`, in another style. */
export function styled(io: Io, sink: Sink, style: "bold" | "green" | "yellow" | "red", text: string): string {
  // The stream is judged here: styleText would read the process's own environment.
  return hasColours(io, sink) ? styleText(style, text, { validateStream: false }) : text;
}

function hasColours(io: Io, sink: Sink): boolean {
  return sink.isTTY === true && (io.env["NO_COLOR"] ?? "") === "" && io.env["TERM"] !== "dumb";
}

/** How the log looks on standard output: as it is asked for, or in lines for people on a terminal and for machines elsewhere. */
export function logLook(
  io: Io,
  asked: LogFormat | undefined,
): { readonly format: LogFormat; readonly colours: boolean } {
  return {
    format: asked ?? (io.stdout.isTTY === true ? "text" : "json"),
    colours: hasColours(io, io.stdout),
  };
}

import type { Io, Sink } from "./command.ts";

/** A line on standard output. */
export function printLine(io: Io, text: string): void {
  io.stdout.write(`${text}\n`);
}

/** A value as JSON on standard output, for machines: indented, one value. */
export function printJson(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** A line about what is wrong, on standard error, with the program's name. */
export function printError(io: Io, text: string): void {
  io.stderr.write(`presto-sidecar: ${text}\n`);
}

/** A remark on standard error, so that standard output holds the result alone. */
export function printNote(io: Io, text: string): void {
  io.stderr.write(`${text}\n`);
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
  const plain = sink.isTTY !== true || (io.env["NO_COLOR"] ?? "") !== "" || io.env["TERM"] === "dumb";
  return plain ? text : `\u001b[1m${text}\u001b[22m`;
}

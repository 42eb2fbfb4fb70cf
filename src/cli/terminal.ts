import { CommandError } from "../errors.ts";
import { untilStopped } from "../lib/async.ts";
import { describeError } from "../observe/describe-error.ts";
import type { Io, Sink } from "./command.ts";
import { StopSignal } from "./signals.ts";

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

/** Far more than anybody types. */
const mostBytes = 64 * 1024;

/** Asks a person at the terminal, one line after the other. */
export interface Prompts {
  /** A line of which the terminal shows nothing. */
  hidden(question: string): Promise<Buffer>;
  /** A line that may be seen. */
  shown(question: string): Promise<Buffer>;
  /** Lets go of standard input, so that nothing more is read of it. */
  close(): Promise<void>;
}

/**
 * Prompts on standard error, answers from standard input. What was typed ahead is kept for
 * the next question. Each rejects with `StopSignal` at Ctrl-C, and with `CommandError`
 * `input-refused` beyond 64 KiB.
 */
export function createPrompts(io: Io): Prompts {
  const input = io.stdin[Symbol.asyncIterator]();
  /** Read of standard input, and up to `used` taken. */
  let ahead: Buffer = Buffer.alloc(0);
  let used = 0;

  async function readLine(): Promise<Buffer> {
    const typed: number[] = [];
    for (;;) {
      const byte = ahead[used];
      if (byte === undefined) {
        const next = await input.next();
        if (next.done === true) return Buffer.from(typed);
        ahead = toBuffer(next.value);
        used = 0;
        continue;
      }
      used += 1;
      if (byte === key.enter || byte === key.newline || byte === key.endOfInput) {
        if (byte === key.enter && ahead[used] === key.newline) used += 1;
        return Buffer.from(typed);
      }
      // A terminal in raw mode hands over Ctrl-C as a byte, and raises no signal.
      if (byte === key.interrupt) throw new StopSignal("SIGINT");
      if (byte === key.eraseLine) typed.length = 0;
      else if (byte === key.backspace || byte === key.delete) eraseCharacter(typed);
      else typed.push(byte);
      if (typed.length > mostBytes) throw tooMuch();
    }
  }

  return {
    async hidden(question) {
      io.stderr.write(`${question} (not shown): `);
      io.stdin.setRawMode?.(true);
      try {
        return await readLine();
      } finally {
        io.stdin.setRawMode?.(false);
        io.stderr.write("\n");
      }
    },
    async shown(question) {
      io.stderr.write(`${question}: `);
      return readLine();
    },
    async close() {
      await input.return?.();
    },
  };
}

/** A character of UTF-8 is one byte, or several of which all but the first look like `10xxxxxx`. */
function eraseCharacter(typed: number[]): void {
  for (;;) {
    const byte = typed.pop();
    if (byte === undefined || (byte & 0xc0) !== 0x80) return;
  }
}

const key = {
  interrupt: 0x03,
  endOfInput: 0x04,
  backspace: 0x08,
  newline: 0x0a,
  enter: 0x0d,
  eraseLine: 0x15,
  delete: 0x7f,
} as const;

/** Standard input to its end. @throws CommandError `input-refused` beyond 64 KiB */
export async function readToEnd(io: Io): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of io.stdin) {
    const bytes = toBuffer(chunk);
    size += bytes.length;
    if (size > mostBytes) throw tooMuch();
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function toBuffer(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  if (typeof chunk === "string") return Buffer.from(chunk);
  throw new TypeError("standard input gave neither bytes nor text");
}

function tooMuch(): CommandError {
  return new CommandError("input-refused", "More than 64 KiB were given. Give what was asked for, alone.");
}

/**
 * A secret from a hidden prompt, where standard input is a terminal, or else from
 * standard input to its end. One trailing line end is dropped. Every byte is one
 * character of the result (latin1), so that the caller can judge the bytes.
 * @throws CommandError `input-refused` if there is nothing, or more than 64 KiB
 */
export async function readSecret(io: Io, prompt: string): Promise<string> {
  const bytes = io.stdin.isTTY === true ? await readHidden(io, prompt) : await readToEnd(io);
  const text = bytes.toString("latin1").replace(/\r?\n$/, "");
  if (text === "")
    throw new CommandError(
      "input-refused",
      "Nothing was given. Type the secret at the prompt, or pipe it in.",
    );
  return text;
}

async function readHidden(io: Io, prompt: string): Promise<Buffer> {
  const prompts = createPrompts(io);
  try {
    return await prompts.hidden(prompt);
  } finally {
    await prompts.close();
  }
}

/** Asks at the terminal; only a yes that was typed out counts. Rejects where the command is stopped meanwhile. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  const prompts = createPrompts(io);
  const answer = await untilStopped(io.signal, prompts.shown(`${question} Type yes to go on`));
  await prompts.close();
  return answer.toString("latin1").trim().toLowerCase() === "yes";
}

/** ` Reason: …` for the end of a message, where a cause may be told; else nothing. */
export function reasonOf(cause: unknown): string {
  const { message } = describeError(cause);
  if (message === undefined || message === "") return "";
  return ` Reason: ${message}${message.endsWith(".") ? "" : "."}`;
}

import { createInterface, type Key } from "node:readline";

import { CommandError } from "../errors.ts";
import { untilStopped } from "../lib/async.ts";
import { withoutLineEnd } from "../secret.ts";
import type { Io, Source } from "./command.ts";
import { StopSignal } from "./signals.ts";

/** Far more than anybody types. */
const mostBytes = 64 * 1024;

/** Asks a person at the terminal, one line after the other. */
export interface Prompts {
  /** A line of which the terminal shows nothing. */
  hidden(question: string): Promise<string>;
  /** A line that may be seen. */
  shown(question: string): Promise<string>;
  /** Lets go of standard input, so that nothing more is read of it, with the terminal as it was. */
  close(): void;
}

/**
 * Prompts on standard error, answers from standard input. What was typed ahead is kept for
 * the next question. Each rejects with `StopSignal` at Ctrl-C, and with `CommandError`
 * `input-refused` for a key that gives no text, for what is not UTF-8, and beyond 64 KiB.
 */
export function createPrompts(io: Io): Prompts {
  let typing: Typing | undefined;
  return {
    async hidden(question) {
      // Nothing is shown any more before anybody is asked to type.
      typing ??= readTyping(io.stdin);
      io.stderr.write(`${question} (not shown): `);
      try {
        return whole(await typing.line());
      } finally {
        io.stderr.write("\n");
      }
    },
    async shown(question) {
      io.stderr.write(`${question}: `);
      return whole(await readLine(io.stdin));
    },
    close() {
      typing?.close();
      io.stdin.pause();
    },
  };
}

/** A line that the terminal itself shows and edits; what follows it stays unread. */
function readLine(input: Source): Promise<string> {
  const lines = createInterface({ input, terminal: false });
  return new Promise((resolve) => {
    let first = "";
    lines.once("line", (line) => {
      first = line;
      lines.close();
    });
    lines.once("close", () => resolve(first));
  });
}

interface Typing {
  line(): Promise<string>;
  close(): void;
}

/** What is typed into a terminal in raw mode: readline shows it nowhere, as it has no output. */
function readTyping(input: Source): Typing {
  const typed = createInterface({ input, terminal: true, historySize: 0 });
  const lines = typed[Symbol.asyncIterator]();
  const ended = Promise.withResolvers<never>();
  // It may come while no line is asked for.
  ended.promise.catch(() => {});
  // A terminal in raw mode hands over Ctrl-C as a key, and raises no signal.
  typed.on("SIGINT", () => ended.reject(new StopSignal("SIGINT")));
  // Or readline would stop the process at Ctrl-Z.
  typed.on("SIGTSTP", () => {});
  const onKey = (_text: string | undefined, { sequence = "" }: Key): void => {
    if (typed.line.length > mostBytes) ended.reject(tooMuch());
    else if (sequence === endOfInput && typed.line !== "") typed.write(null, { name: "return" });
    else if (/\p{Cc}/u.test(sequence) && !editing.includes(sequence)) ended.reject(noText());
  };
  input.on("keypress", onKey);
  return {
    async line() {
      const next = await Promise.race([lines.next(), ended.promise]);
      return next.done === true ? "" : next.value;
    },
    close() {
      input.off("keypress", onKey);
      typed.close();
    },
  };
}

const endOfInput = "\u0004";
/** Ctrl-C, Ctrl-D, backspace, a line's end, Ctrl-U, delete: what readline takes as everybody knows it. */
const editing = "\u0003\u0004\b\n\r\u0015\u007f";

/** Nobody can see what an arrow or Ctrl-W has done to a line that is not shown. */
function noText(): CommandError {
  return new CommandError(
    "input-refused",
    "A key was typed that gives no text. Nothing was stored. Run the command again.",
  );
}

/** @throws CommandError `input-refused` if something of it was not UTF-8, which readline puts U+FFFD for */
function whole(line: string): string {
  if (line.includes("\ufffd")) throw notText();
  return line;
}

/** @throws CommandError `input-refused` for bytes that are not UTF-8 */
export function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw notText();
  }
}

function notText(): CommandError {
  return new CommandError("input-refused", "What was given is not UTF-8 text. Nothing was stored.");
}

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
 * standard input to its end; of that, one trailing line end is dropped, and every byte is
 * one character of the result (latin1), so that the caller can judge the bytes.
 * @throws CommandError `input-refused` if there is nothing, or more than 64 KiB
 */
export async function readSecret(io: Io, prompt: string): Promise<string> {
  const text = io.stdin.isTTY === true ? await readHidden(io, prompt) : await readPiped(io);
  if (text === "")
    throw new CommandError(
      "input-refused",
      "Nothing was given. Type the secret at the prompt, or pipe it in.",
    );
  return text;
}

async function readPiped(io: Io): Promise<string> {
  return withoutLineEnd((await readToEnd(io)).toString("latin1"));
}

async function readHidden(io: Io, prompt: string): Promise<string> {
  const prompts = createPrompts(io);
  try {
    return await prompts.hidden(prompt);
  } finally {
    prompts.close();
  }
}

/** Asks at the terminal; only a yes that was typed out counts. Rejects where the command is stopped meanwhile. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  const prompts = createPrompts(io);
  try {
    const answer = await untilStopped(io.signal, prompts.shown(`${question} Type yes to go on`));
    return answer.trim().toLowerCase() === "yes";
  } finally {
    prompts.close();
  }
}

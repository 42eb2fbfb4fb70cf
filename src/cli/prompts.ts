import { Failure } from "../errors.ts";
import type { Io } from "./command.ts";
import { StopSignal } from "./process-signals.ts";

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
 * the next question. Each rejects with `StopSignal` at Ctrl-C, and with `Failure`
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

/** Standard input to its end. @throws Failure `input-refused` beyond 64 KiB */
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

function tooMuch(): Failure {
  return new Failure("input-refused", "More than 64 KiB were given. Give what was asked for, alone.");
}

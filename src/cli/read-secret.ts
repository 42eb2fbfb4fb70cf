import { Failure } from "../errors.ts";
import type { Io } from "./command.ts";
import { StopSignal } from "./process-signals.ts";

/** Far more than any token that a header field can hold. */
const mostBytes = 64 * 1024;

/**
 * A secret from a hidden prompt, where standard input is a terminal, or else from
 * standard input to its end. One trailing line end is dropped. Every byte is one
 * character of the result (latin1), so that the caller can judge the bytes.
 * @throws Failure `input-refused` if there is nothing, or more than 64 KiB
 */
export async function readSecret(io: Io, prompt: string): Promise<string> {
  const bytes = io.stdin.isTTY === true ? await readHidden(io, prompt) : await readAll(io);
  const text = bytes.toString("latin1").replace(/\r?\n$/, "");
  if (text === "")
    throw new Failure("input-refused", "Nothing was given. Type the secret at the prompt, or pipe it in.");
  return text;
}

async function readAll(io: Io): Promise<Buffer> {
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

/** One line from a terminal that shows nothing of it. */
async function readHidden(io: Io, prompt: string): Promise<Buffer> {
  io.stderr.write(`${prompt} (not shown): `);
  io.stdin.setRawMode?.(true);
  try {
    return await readLine(io);
  } finally {
    io.stdin.setRawMode?.(false);
    io.stderr.write("\n");
  }
}

async function readLine(io: Io): Promise<Buffer> {
  const typed: number[] = [];
  for await (const chunk of io.stdin) {
    for (const byte of toBuffer(chunk)) {
      if (byte === key.enter || byte === key.newline || byte === key.endOfInput) return Buffer.from(typed);
      // A terminal in raw mode hands over Ctrl-C as a byte, and raises no signal.
      if (byte === key.interrupt) throw new StopSignal("SIGINT");
      if (byte === key.eraseLine) typed.length = 0;
      else if (byte === key.backspace || byte === key.delete) typed.pop();
      else typed.push(byte);
      if (typed.length > mostBytes) throw tooMuch();
    }
  }
  return Buffer.from(typed);
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

function toBuffer(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  if (typeof chunk === "string") return Buffer.from(chunk);
  throw new TypeError("standard input gave neither bytes nor text");
}

function tooMuch(): Failure {
  return new Failure("input-refused", "More than 64 KiB were given. Give the secret alone.");
}

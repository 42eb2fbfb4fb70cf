import { Failure } from "../errors.ts";
import type { Io } from "./command.ts";
import { createPrompts, readToEnd } from "./prompts.ts";

/**
 * A secret from a hidden prompt, where standard input is a terminal, or else from
 * standard input to its end. One trailing line end is dropped. Every byte is one
 * character of the result (latin1), so that the caller can judge the bytes.
 * @throws Failure `input-refused` if there is nothing, or more than 64 KiB
 */
export async function readSecret(io: Io, prompt: string): Promise<string> {
  const bytes = io.stdin.isTTY === true ? await readHidden(io, prompt) : await readToEnd(io);
  const text = bytes.toString("latin1").replace(/\r?\n$/, "");
  if (text === "")
    throw new Failure("input-refused", "Nothing was given. Type the secret at the prompt, or pipe it in.");
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

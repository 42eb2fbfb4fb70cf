import { untilStopped } from "../lib/async.ts";
import type { Io } from "./command.ts";
import { createPrompts } from "./prompts.ts";

/** Asks at the terminal; only a yes that was typed out counts. Rejects where the command is stopped meanwhile. */
export async function confirm(io: Io, question: string): Promise<boolean> {
  const prompts = createPrompts(io);
  const answer = await untilStopped(io.signal, prompts.shown(`${question} Type yes to go on`));
  await prompts.close();
  return answer.toString("latin1").trim().toLowerCase() === "yes";
}

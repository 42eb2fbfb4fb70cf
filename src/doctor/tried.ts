import { systemCode } from "../errors.ts";
import { untilAborted } from "../lib/async.ts";
import { describeError } from "../observe/describe-error.ts";

/** What came of a question. `late`: time was over first. */
export type Tried<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "late" };

/** Asks until the signal is aborted. Never rejects: one question that fails must not keep the others from being asked. */
export async function tryUntil<T>(stop: AbortSignal, ask: () => Promise<T> | T): Promise<Tried<T>> {
  const asked = Promise.try(ask).then(
    (value): Tried<T> => ({ kind: "done", value }),
    (error: unknown): Tried<T> => ({ kind: "failed", error }),
  );
  return (await untilAborted(stop, asked)) ?? { kind: "late" };
}

/** What an error says, as one sentence; of one that is not this program's own, only its code. */
export function sentenceOf(error: unknown): string {
  const { message, name, code } = describeError(error);
  const text = message ?? `it failed in a way that was not foreseen (${code ?? systemCode(error) ?? name})`;
  // A message may have been made for several lines of a terminal.
  const line = text
    .replaceAll(/\s+/g, " ")
    .replaceAll(/\p{Cc}/gu, "")
    .trim();
  const sentence = line.charAt(0).toUpperCase() + line.slice(1);
  return /[.?!]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** For what was not done when time was over. */
export const lateDetail = "It was not done when the time of --timeout was over.";
export const lateMend = "Give more time with --timeout, and see what the lines above say of what is slow.";

import { describeError } from "../observe/describe-error.ts";

/** ` Reason: …` for the end of a message, where a cause may be told; else nothing. */
export function reasonOf(cause: unknown): string {
  const { message } = describeError(cause);
  if (message === undefined || message === "") return "";
  return ` Reason: ${message}${message.endsWith(".") ? "" : "."}`;
}

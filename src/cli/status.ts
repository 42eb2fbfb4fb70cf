import { loadConsole } from "../config/load-listeners.ts";
import type { Run } from "./command.ts";
import { printJson, printTable } from "./output.ts";
import { isObject, readStatus } from "./sidecar-state.ts";

/** Shows what the admin listener says of the sidecar. */
export const status: Run = async (args, io) => {
  const answer = await readStatus(io, loadConsole(io.env).adminListen);
  if (args.flag("json")) printJson(io, answer);
  else printTable(io, flatten(answer, ""));
  return 0;
};

function flatten(value: unknown, name: string): [name: string, value: string][] {
  if (!isObject(value)) return [[name, show(value)]];
  return Object.entries(value).flatMap(([key, inner]) =>
    flatten(inner, name === "" ? key : `${name}.${key}`),
  );
}

/** What comes from a socket may hold anything; a terminal obeys control characters. */
function show(value: unknown): string {
  if (value === null) return "-";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replace(/\p{Cc}/gu, "?");
}

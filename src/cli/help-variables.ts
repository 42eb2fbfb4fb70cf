import { isVariableName, rowOf, type VariableName, variableNames } from "../config/variables.ts";
import { CommandError } from "../errors.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { lineWidth, wrap } from "./parse.ts";

/** What `presto-sidecar help variables` prints: the tables of the documents, for whoever has none at hand. */
export function describeVariables(): string {
  return [
    "The sidecar is configured by these environment variables, and by nothing else.",
    "Where one holds a secret, NAME_FILE names a file that holds it.",
    "",
    ...variableNames.flatMap((name) => [
      name,
      ...indented(defaultLine(name)),
      ...indented(meaningOf(name)),
      "",
    ]),
  ].join("\n");
}

/**
 * What `presto-sidecar help VARIABLE` prints.
 * @throws CommandError `usage` for a name that is none
 */
export function describeVariable(name: string): string {
  if (!isVariableName(name)) throw noVariable(name);
  const { example, secret, onlyFor } = rowOf(name);
  const notes = [
    ...(secret === true ? ["It is a secret, and is shown nowhere."] : []),
    ...(onlyFor === "issuing" ? ["For roles that issue tokens: rotator and all."] : []),
    ...(onlyFor === "serving" ? ["For roles that serve calls: proxy and all."] : []),
  ];
  return [
    name,
    "",
    ...wrap(meaningOf(name), lineWidth),
    ...notes.flatMap((note) => wrap(note, lineWidth)),
    "",
    defaultLine(name),
    `Example: ${name}=${example}`,
    "",
  ].join("\n");
}

/** What was typed is repeated only where it is nearly a name: it may be a secret in the wrong place. */
function noVariable(typed: string): CommandError {
  const near = nearestName(typed, variableNames);
  const meant = near === undefined ? "" : ` as "${typed}"; there is "${near}"`;
  return new CommandError(
    "usage",
    `There is no such variable${meant}. "presto-sidecar help variables" lists them.`,
  );
}

function defaultLine(name: VariableName): string {
  const { fallback, fallbackNote, derived } = rowOf(name);
  return `Default: ${plain(derived?.note ?? fallbackNote ?? fallback ?? "none")}`;
}

function meaningOf(name: VariableName): string {
  return plain(rowOf(name).meaning);
}

/** Without the marks of Markdown. */
function plain(text: string): string {
  return text.replaceAll(/\[([^\]]+)\]\([^)]+\)/g, "$1").replaceAll("`", "");
}

function indented(text: string): string[] {
  return wrap(text, lineWidth - 4).map((line) => `    ${line}`);
}

import { readFileSync } from "node:fs";

import { isMap, isScalar, isSeq, parseDocument, type YAMLMap } from "yaml";

// The table of the chart's README: each value with its default and what the comment above it in values.yaml says.

const valuesFile = "helm/presto-sidecar/values.yaml";

/** Rows of `value`, `default`, `meaning`. */
export function chartValueRows(): string[][] {
  const { contents } = parseDocument(readFileSync(valuesFile, "utf8"));
  if (!isMap(contents)) throw new Error(`${valuesFile} is no map of values`);
  return rowsOf(contents, []);
}

function rowsOf(map: YAMLMap, path: readonly string[]): string[][] {
  return map.items.flatMap(({ key, value }, index) => {
    if (!isScalar(key)) throw new Error(`${valuesFile} has a key that is no text below ${path.join(".")}`);
    // What stands above the first of a map is the map's own.
    const comment = index === 0 ? (map.commentBefore ?? key.commentBefore) : key.commentBefore;
    const here = [...path, String(key.value)];
    const isGroup = isMap(value) && value.items.length > 0 && here.at(-1) !== "resources";
    const meaning = sentence(path.length === 0 && index === 0 ? key.commentBefore : comment);
    const row = [`\`${here.join(".")}\``, isGroup ? "" : `\`${JSON.stringify(plain(value))}\``, meaning];
    if (!isGroup) return [row];
    return [...(meaning === "" ? [] : [row]), ...rowsOf(value, here)];
  });
}

function plain(value: unknown): unknown {
  return isMap(value) || isSeq(value) || isScalar(value) ? value.toJSON() : value;
}

/** A comment as one line; what stands before an empty line is about something else. */
function sentence(comment: string | null | undefined): string {
  const own = (comment ?? "").split(/\n\s*\n/).at(-1) ?? "";
  return own
    .split("\n")
    .map((line) => line.trim())
    .join(" ");
}

import { readFileSync } from "node:fs";

import { parseCheckUrls, parseOrigin } from "../src/config/parse-addresses.ts";
import { parsePins } from "../src/config/parse-secrets.ts";
import {
  logFormats,
  logLevels,
  otlpProtocol,
  parseCount,
  parseCountOrZero,
  parseDays,
  parseDayWindow,
  parseDuration,
  parseDurationOrZero,
  parseFraction,
  parseLogFormat,
  parseLogLevel,
  parseOtlpProtocol,
  parseReference,
  parseRenew,
  parseSize,
  parseTokenName,
  parseYesNo,
  sizeUnits,
} from "../src/config/parse.ts";
import type { VariableRow } from "../src/config/variable.ts";
import { rowOf, variableNames } from "../src/config/variables.ts";
import { durationUnits } from "../src/lib/duration.ts";

// The schema of the chart's values, and what each text among them has to look like: what Kubernetes' objects
// need is written by hand in `baseFile`, and what the sidecar's variables may be is put in from their table.
//
// The schema says which names there are and of what type; the forms of texts are checked by the chart's own
// templates. A schema can only answer with the regular expression and the value, which may be a password in the
// wrong place; a template answers with a sentence.

/** JSON Schema, draft 7, which Helm checks values against. */
export type Schema = Readonly<Record<string, unknown>>;

const baseFile = "helm/values.schema.base.json";
/** What is made from it. */
export const chartSchemaFile = "helm/presto-sidecar/values.schema.json";
export const chartFormsFile = "helm/presto-sidecar/templates/_forms.tpl";

const positive = "0*[1-9][0-9]*";
const pin = "sha256/[A-Za-z0-9+/]{43}=";
const dnsName = "[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?";
const loopback = String.raw`(localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\])`;
const timeOfDay = "([01][0-9]|2[0-3]):[0-5][0-9]";

/**
 * What a parser takes, as far as a regular expression can say it: Helm then refuses a mistake before
 * a pod is made. No parser takes more; some take less (a duration has a longest).
 */
const grammars: ReadonlyMap<(text: string) => unknown, Schema> = new Map<(text: string) => unknown, Schema>([
  [parseYesNo, { enum: ["yes", "no"] }],
  [parseRenew, { enum: ["auto", "manual"] }],
  [parseLogLevel, { enum: logLevels }],
  [parseLogFormat, { enum: logFormats }],
  [parseOtlpProtocol, { enum: [otlpProtocol] }],
  [parseCount, pattern(positive, "a whole number above 0")],
  [parseCountOrZero, pattern("[0-9]+", "a whole number")],
  [parseDays, pattern(positive, "a whole number of days, 3650 at most")],
  [parseFraction, pattern(`(1(\\.0+)?|0\\.[0-9]*[1-9][0-9]*)`, "a fraction above 0 and at most 1")],
  [
    parseDayWindow,
    pattern(`${timeOfDay}-(${timeOfDay}|24:00)`, "two times of day in UTC with a dash between them"),
  ],
  [parseTokenName, pattern("[!-~]([ -~]{0,253}[!-~])?", "1 to 255 visible ASCII characters")],
  [parseSize, pattern(positive + oneOf(sizeUnits), "a whole number above 0 and a unit")],
  [parseDuration, pattern(positive + oneOf(durationUnits), "a whole number above 0 and a unit")],
  [parseDurationOrZero, pattern(`[0-9]+${oneOf(durationUnits)}`, "a whole number and a unit")],
  [parseReference, pattern("[A-Za-z0-9._~-]{1,128}", "1 to 128 of A-Za-z0-9-._~")],
  [
    parsePins,
    pattern(`${pin}( *, *${pin})*`, "sha256/ and the base64 of 32 bytes, several with commas between"),
  ],
  [parseCheckUrls, { type: "string", pattern: "^https://", says: "https URLs with commas between" }],
  [
    parseOrigin,
    pattern(
      `https://(${dnsName}(:443)?|${loopback}(:[0-9]{1,5})?)/?`,
      "https, a host and nothing behind it; port 443 alone, but on loopback",
    ),
  ],
]);

/** @param says what a text of that form is, to whoever wrote another */
function pattern(whole: string, says: string): Schema {
  return { type: "string", pattern: `^${whole}$`, says };
}

function oneOf(units: ReadonlyMap<string, number>): string {
  return `(${[...units.keys()].join("|")})`;
}

/** Schemas of the variables that the chart takes there, by their names. A `pattern` has its sentence in `says`. */
export function chartVariables(
  where: NonNullable<VariableRow<unknown>["chart"]>,
): ReadonlyMap<string, Schema> {
  const rows = variableNames.map((name) => [name, rowOf(name)] as const);
  return new Map(
    rows
      .filter(([, { chart }]) => chart === where)
      .map(([name, { parse, meaning, chartLimit, example }]) => {
        if (chartLimit !== undefined) {
          const { pattern: limit, reason } = chartLimit;
          return [
            name,
            { description: `${meaning} ${reason}`, type: "string", pattern: limit, says: reason },
          ];
        }
        const { says, ...form } = grammars.get(parse) ?? { type: "string" };
        const sentence = typeof says === "string" ? { says: `write ${says}, as in ${example}` } : {};
        return [name, { description: meaning, ...form, ...sentence }];
      }),
  );
}

/** The base with the variables in it, and still with all sentences. */
function wholeSchema(): Schema {
  const base = readObject(JSON.parse(readFileSync(baseFile, "utf8")));
  const properties = readObject(base["properties"]);
  const rotator = readObject(properties["rotator"]);
  const rotatorProperties = readObject(rotator["properties"]);
  return {
    ...base,
    properties: {
      ...properties,
      url: [...chartVariables("url").values()][0],
      env: withVariables(properties["env"], "env"),
      rotator: {
        ...rotator,
        properties: { ...rotatorProperties, env: withVariables(rotatorProperties["env"], "rotator") },
      },
    },
  };
}

function withVariables(into: unknown, where: "env" | "rotator"): Schema {
  const env = readObject(into);
  const own = env["properties"] === undefined ? {} : readObject(env["properties"]);
  return { ...env, properties: { ...Object.fromEntries(chartVariables(where)), ...own } };
}

/** The chart's `values.schema.json`, from the base and the table of variables. */
export function makeChartSchema(): string {
  const $comment = `Made from the table of variables and ${baseFile} by node tools/docs.ts.`;
  return `${JSON.stringify({ $comment, ...readObject(withoutForms(wholeSchema())) }, undefined, 2)}\n`;
}

/** A pattern that has a sentence is the templates' to check. */
function withoutForms(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutForms);
  if (!isRecord(schema)) return schema;
  const entries = Object.entries(schema).map(([key, value]) => [key, withoutForms(value)] as const);
  const spoken = typeof schema["says"] === "string";
  return Object.fromEntries(entries.filter(([key]) => !spoken || (key !== "says" && key !== "pattern")));
}

interface Form {
  readonly path: readonly string[];
  readonly pattern: string;
  readonly says: string;
}

/** The chart's `_forms.tpl`: the form of each text, and the variables that say nothing to a rotator. */
export function makeChartForms(): string {
  const serving = variableNames.filter((name) => {
    const { chart, onlyFor } = rowOf(name);
    return chart === "env" && onlyFor === "serving";
  });
  const lines = formsIn(wholeSchema(), []).map((form) => `  ${JSON.stringify(form)}`);
  return `{{/* Made from the table of variables and ${baseFile} by node tools/docs.ts. */}}

{{- define "presto-sidecar.forms" -}}
[
${lines.join(",\n")}
]
{{- end -}}

{{- define "presto-sidecar.servingVariables" -}}
${JSON.stringify(serving)}
{{- end -}}
`;
}

function formsIn(schema: unknown, path: readonly string[]): Form[] {
  if (!isRecord(schema)) return [];
  const { pattern: form, says, properties } = schema;
  const own = typeof form === "string" && typeof says === "string" ? [{ path, pattern: form, says }] : [];
  const below = isRecord(properties) ? Object.entries(properties) : [];
  return [...own, ...below.flatMap(([name, value]) => formsIn(value, [...path, name]))];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readObject(value: unknown): Record<string, unknown> {
  if (!isRecord(value)) throw new Error(`${baseFile} has not the properties that are put into`);
  return { ...value };
}

import { readFileSync } from "node:fs";

import { parseCheckUrls, parseOrigin } from "../src/config/parse-addresses.ts";
import { parsePins } from "../src/config/parse-secrets.ts";
import {
  logFormats,
  logLevels,
  parseCount,
  parseCountOrZero,
  parseDuration,
  parseDurationOrZero,
  parseLogFormat,
  parseLogLevel,
  parseReference,
  parseSize,
  parseYesNo,
  sizeUnits,
} from "../src/config/parse.ts";
import { rowOf, variableNames } from "../src/config/variables.ts";
import { durationUnits } from "../src/lib/duration.ts";

// The schema of the chart's values: what Kubernetes' objects need is written by hand in `baseFile`,
// and what the sidecar's variables may be is put in from their table.

/** JSON Schema, draft 7, which Helm checks values against. */
export type Schema = Readonly<Record<string, unknown>>;

const baseFile = "helm/values.schema.base.json";
/** What is made from it. */
export const chartSchemaFile = "helm/presto-sidecar/values.schema.json";

const positive = "0*[1-9][0-9]*";
const pin = "sha256/[A-Za-z0-9+/]{43}=";
const dnsName = "[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?";
const loopback = String.raw`(localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\])`;

/**
 * What a parser takes, as far as a regular expression can say it: Helm then refuses a mistake before
 * a pod is made. No parser takes more; some take less (a duration has a longest).
 */
const grammars: ReadonlyMap<(text: string) => unknown, Schema> = new Map<(text: string) => unknown, Schema>([
  [parseYesNo, { enum: ["yes", "no"] }],
  [parseLogLevel, { enum: logLevels }],
  [parseLogFormat, { enum: logFormats }],
  [parseCount, pattern(positive)],
  [parseCountOrZero, pattern("[0-9]+")],
  [parseSize, pattern(positive + oneOf(sizeUnits))],
  [parseDuration, pattern(positive + oneOf(durationUnits))],
  [parseDurationOrZero, pattern(`[0-9]+${oneOf(durationUnits)}`)],
  [parseReference, pattern("[A-Za-z0-9._~-]{1,128}")],
  [parsePins, pattern(`${pin}( *, *${pin})*`)],
  [parseCheckUrls, { type: "string", pattern: "^https://" }],
  [parseOrigin, pattern(`https://(${dnsName}(:443)?|${loopback}(:[0-9]{1,5})?)/?`)],
]);

function pattern(whole: string): Schema {
  return { type: "string", pattern: `^${whole}$` };
}

function oneOf(units: ReadonlyMap<string, number>): string {
  return `(${[...units.keys()].join("|")})`;
}

/** Schemas of the variables that the chart takes there, by their names. */
export function chartVariables(where: "env" | "url"): ReadonlyMap<string, Schema> {
  const rows = variableNames.map((name) => [name, rowOf(name)] as const);
  return new Map(
    rows
      .filter(([, { chart }]) => chart === where)
      .map(([name, { parse, meaning, chartLimit }]) => {
        if (chartLimit === undefined)
          return [name, { description: meaning, ...(grammars.get(parse) ?? { type: "string" }) }];
        return [
          name,
          { description: `${meaning} ${chartLimit.reason}`, type: "string", pattern: chartLimit.pattern },
        ];
      }),
  );
}

/** The chart's `values.schema.json`, from the base and the table of variables. */
export function makeChartSchema(): string {
  const base = readObject(JSON.parse(readFileSync(baseFile, "utf8")));
  const properties = readObject(base["properties"]);
  const env = readObject(properties["env"]);
  const schema = {
    $comment: `Made from the table of variables and ${baseFile} by node tools/docs.ts.`,
    ...base,
    properties: {
      ...properties,
      url: [...chartVariables("url").values()][0],
      env: {
        ...env,
        properties: { ...Object.fromEntries(chartVariables("env")), ...readObject(env["properties"]) },
      },
    },
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

function readObject(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`${baseFile} has not the properties that are put into`);
  return { ...value };
}

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { InvalidValue } from "../../../src/config/parse.ts";
import { rowOf, type VariableName, variableNames } from "../../../src/config/variables.ts";
import { chartVariables, makeChartForms, makeChartSchema, type Schema } from "../../../tools/chart-schema.ts";

const schemas = new Map((["env", "rotator", "url"] as const).flatMap((where) => [...chartVariables(where)]));
const taken = variableNames.filter((name) => rowOf(name).chart !== undefined);

function schemaOf(name: VariableName): Schema {
  const schema = schemas.get(name);
  if (schema === undefined) throw new Error(`the chart has no ${name}`);
  return schema;
}

/** Does the chart's schema take it? Ours has patterns and lists of values only. */
function takes({ pattern, enum: values }: Schema, text: string): boolean {
  if (Array.isArray(values)) return values.includes(text);
  return typeof pattern !== "string" || new RegExp(pattern, "u").test(text);
}

describe("the schema of the chart's values", () => {
  it("has each variable that its row gives to the chart, and nothing of the others", () => {
    expect([...schemas.keys()].toSorted()).toEqual([...taken].toSorted());
    expect(makeChartSchema()).not.toContain('"PRESTO_TOKEN"');
  });

  it("leaves what has a sentence to the templates, which say it, and never shows a value", () => {
    const { pattern, says } = schemaOf("PRESTO_TIMEOUT");
    const form = JSON.stringify({ path: ["env", "PRESTO_TIMEOUT"], pattern, says });
    expect(makeChartForms()).toContain(form);
    expect(makeChartForms()).toContain('"path":["rotator","env","PRESTO_RENEW_WINDOW"]');
    expect(makeChartSchema()).not.toMatch(/"says"|\(ms\|s\|m\|h\)/);
  });

  it.each(taken)("takes the example and the default of %s", (name) => {
    const { example, fallback = example, chartLimit } = rowOf(name);
    if (chartLimit === undefined) expect(takes(schemaOf(name), example)).toBe(true);
    else expect(takes(schemaOf(name), example)).toBe(false);
    if (chartLimit === undefined) expect(takes(schemaOf(name), fallback)).toBe(true);
  });

  it.each(taken.filter((name) => typeof schemaOf(name)["pattern"] === "string"))(
    "takes no %s that has another form than the sidecar's",
    (name) => {
      const { parse } = rowOf(name);
      const { pattern } = schemaOf(name);
      // Such a URL or a port may still be none: the pattern says where the parts stand.
      if (typeof pattern !== "string" || !pattern.endsWith("$") || /:\[0-9\]/.test(pattern)) return;
      fc.assert(
        fc.property(fc.stringMatching(new RegExp(pattern, "u")), (text) => {
          try {
            parse(text);
          } catch (error) {
            if (!(error instanceof InvalidValue)) throw error;
            expect(error.message).toMatch(
              /is too much|same as entry|is not sha256|no valid host|and not \. or|begins when it ends|is not from 1/,
            );
          }
        }),
      );
    },
  );

  it.each([
    ["PRESTO_TIMEOUT", ["0s", "10", "10 s", "1.5s", "10sec"]],
    ["PRESTO_DRAIN_MIN", ["-1s", "s", "1S"]],
    ["PRESTO_MAX_BODY", ["0MiB", "1MB", "1"]],
    ["PRESTO_MAX_IN_FLIGHT", ["0", "1e3", "many"]],
    ["PRESTO_CA_ONLY", ["true", "YES"]],
    ["PRESTO_LOG_LEVEL", ["loud", "INFO"]],
    ["PRESTO_LOG_FORMAT", ["pretty", "JSON"]],
    ["PRESTO_EGRESS_PROXY", ["http://u:p@gateway.example:1", "gateway.example:1", "http://gateway.example"]],
    ["PRESTO_PROBE_REFERENCE", ["a/b", ""]],
    ["PRESTO_RENEW_AT", ["0", "0.0", "1.1", "67%"]],
    ["PRESTO_RENEW_WINDOW", ["1-4", "25:00-04:00"]],
    ["PRESTO_TOKEN_DAYS", ["0", "90d"]],
    ["PRESTO_URL", ["http://x", "https://x/y", "https://x:8443", "https://u@x"]],
  ] as const)("refuses for %s what the sidecar would refuse: %j", (name, texts) => {
    for (const text of texts) expect([text, takes(schemaOf(name), text)]).toEqual([text, false]);
  });
});

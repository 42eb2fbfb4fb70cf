import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { loadConfig } from "../../../src/config/load.ts";
import { rowOf, variableNames } from "../../../src/config/variables.ts";
import { CommandError } from "../../../src/errors.ts";

const key = Buffer.alloc(32, 7).toString("base64");

/** Any sound values, of any of the variables: what goes together or not is left to chance. */
const anySound = fc.record(
  Object.fromEntries(
    variableNames.map((name) => {
      const { example, fallback } = rowOf(name);
      const values: Readonly<Record<string, readonly string[]>> = {
        PRESTO_ROLE: ["proxy", "rotator", "all"],
        PRESTO_STORE: ["env:", "file:/s", "kubernetes:presto/token"],
        PRESTO_STORE_KEY: [key],
        PRESTO_CREDENTIALS: ["file:/c", "file:/s"],
      };
      return [name, fc.constantFrom(...(values[name] ?? [example, fallback ?? ""]))];
    }),
  ),
  { requiredKeys: [] },
);

describe("whatever variables go together", () => {
  it.each([
    ["start", (env: NodeJS.ProcessEnv) => void loadConfig(env, [])],
    ["reading the store", (env: NodeJS.ProcessEnv) => void loadConfig(env, [], "read-store")],
    ["writing the store", (env: NodeJS.ProcessEnv) => void loadConfig(env, [], "write-store")],
    ["writing credentials", (env: NodeJS.ProcessEnv) => void loadConfig(env, [], "write-credentials")],
  ])("%s has a configuration, or a failure that says why not, and never a defect", (_what, load) => {
    let loaded = 0;
    let refused = 0;
    fc.assert(
      fc.property(anySound, (env) => {
        try {
          load(env);
          loaded += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(CommandError);
          refused += 1;
        }
      }),
      { numRuns: 2_000 },
    );
    // Both ends were seen, or this shows nothing.
    expect([loaded > 0, refused > 0]).toEqual([true, true]);
  });
});

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { countLines, rules } from "../tools/lint/architecture.ts";
import { importsOf, readSourceTree } from "../tools/lint/source-tree.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const everything = readSourceTree(root, ["src", "test", "tools", "vitest.config.ts"]);
// These hold plants: what they name on purpose is no violation.
const planted = new Set(["test/architecture.test.ts", "test/lint.test.ts"]);
const tree = new Map([...everything].filter(([path]) => !planted.has(path)));

describe("the source tree", () => {
  it("was read, with its imports", () => {
    const imports = [...tree].flatMap(([path, text]) => importsOf(path, text));
    expect(tree.size).toBeGreaterThan(20);
    expect(imports.length).toBeGreaterThan(tree.size);
    // A relative import that leads nowhere would be an edge that no rule sees.
    const lost = imports.filter(({ target }) => target?.endsWith(".ts") === true && !everything.has(target));
    expect(lost).toEqual([]);
  });

  it.each(Object.values(rules))("keeps: $promise", (rule) => {
    expect(rule.check(tree)).toEqual([]);
  });

  it("imports only packages that are installed in production", () => {
    const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(manifest).toHaveProperty("dependencies");
    const shipped = Object.keys((manifest as { dependencies: object }).dependencies);
    const strangers = [...tree]
      .filter(([path]) => path.startsWith("src/"))
      .flatMap(([path, text]) => importsOf(path, text).map((found) => ({ path, ...found })))
      .filter(({ specifier, target }) => target === undefined && !specifier.startsWith("node:"))
      .map(({ path, specifier }) => ({ path, name: /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier }))
      .filter(({ name }) => !shipped.includes(name));
    expect(strangers).toEqual([]);
  });

  it("has a median length that is told", () => {
    const lengths = [...tree]
      .filter(([path]) => path.startsWith("src/"))
      .map(([, text]) => countLines(text))
      .toSorted((one, other) => one - other);
    const median = lengths[Math.floor(lengths.length / 2)] ?? 0;
    process.stdout.write(
      `${lengths.length} source files, median ${median} lines, longest ${lengths.at(-1)}\n`,
    );
    expect(median).toBeLessThanOrEqual(150);
  });
});

// One tree without a fault, and for each rule at least one file that breaks it: a rule that finds nothing is none.
const sound = {
  "src/app.ts":
    'import type { Config } from "./config/config.ts";\nimport { createPool } from "./upstream/pool.ts";\n',
  "src/config/config.ts":
    "/** Reads process.env, as the only one. */\nexport const home = process.env.HOME;\n",
  "src/upstream/pool.ts":
    'import { Pool } from "undici";\n// A comment may name process.env and fetch().\nnew Pool("x");\n',
  "src/policy/target.ts":
    'import { Problem } from "../errors.ts";\nimport type { Socket } from "node:net";\n',
  "src/errors.ts": 'export const text = "process.env and fetch() and new Pool()";\n',
  "src/sandbox/server.ts": 'import { faults } from "./faults.ts";\n',
  "src/sandbox/faults.ts": "export const faults = 1;\n",
  "src/cli/sandbox.ts": 'const { faults } = await import("../sandbox/faults.ts");\n',
  "test/unit/policy/target.test.ts": 'it("is canonical", () => {});\n',
  "test/unit/policy/target.property.test.ts":
    "// oxlint-disable-next-line max-depth -- five is what the grammar has\n",
};

type Plant = readonly [rule: keyof typeof rules, path: string, text: string];

const plants: readonly Plant[] = [
  ["cycles", "src/errors.ts", 'import { check } from "./policy/target.ts";\n'],
  ["cycles", "src/errors.ts", 'import type { Target } from "./policy/target.ts";\n'],
  ["cycles", "src/errors.ts", 'const { check } = await import("./policy/target.ts");\n'],
  ["policy", "src/policy/hosts.ts", 'import { isIP } from "node:net";\n'],
  ["policy", "src/policy/hosts.ts", 'import fastify, { type A } from "fastify";\n'],
  ["policy", "src/policy/hosts.ts", 'import {\n  systemClock,\n  type Clock,\n} from "../clock.ts";\n'],
  ["config", "src/egress/dispatcher.ts", 'import type { Config } from "../config/config.ts";\n'],
  ["config", "src/main.ts", 'const { load } = await import("./config/load.ts");\n'],
  ["environment", "src/cli/color.ts", "const plain = process.env.NO_COLOR;\n"],
  ["environment", "src/cli/color.ts", "const { env } = process;\n"],
  ["environment", "src/cli/color.ts", 'const plain = process["env"].NO_COLOR;\n'],
  ["clients", "src/token/probe.ts", "const pool = new Pool(origin);\n"],
  ["clients", "src/cli/status.ts", "const agent = new http.Agent();\n"],
  ["clients", "src/cli/status.ts", "setGlobalDispatcher(new EnvHttpProxyAgent());\n"],
  ["wayOut", "src/cli/probe-token.ts", "const connector = createConnector({ origin });\n"],
  ["fetch", "src/presto/auth-client.ts", "await fetch(url);\n"],
  ["fetch", "src/presto/auth-client.ts", "const get = globalThis.fetch;\n"],
  ["sandbox", "src/sandbox/tokens.ts", 'import { Secret } from "../secret.ts";\n'],
  ["sandbox", "src/inbound/listener.ts", 'import { faults } from "../sandbox/faults.ts";\n'],
  ["alone", "src/cli/demo.ts", 'import { certificates } from "../../test/support/certificates.ts";\n'],
  ["barrels", "src/store/index.ts", "export const store = 1;\n"],
  ["barrels", "src/store/all.ts", 'export * from "./env.ts";\n'],
  ["barrels", "src/store/all.ts", 'export {\n  one,\n  type Two,\n} from "./env.ts";\n'],
  ["length", "src/store/long.ts", "export {};\n".repeat(401)],
  ["names", "src/store/fileStore.ts", ""],
  ["names", "src/Store/file.ts", ""],
  ["words", "src/store/file-utils.ts", ""],
  ["words", "test/helpers/socket.ts", ""],
  ["words", "src/token/token-manager.ts", ""],
  ["mirror", "test/unit/policy/nothing.test.ts", ""],
  ["mirror", "test/unit/egress/target.test.ts", 'import { target } from "../../../src/policy/target.ts";\n'],
  ["skips", "test/flow/one.test.ts", 'it.skip("later", () => {});\n'],
  ["skips", "test/flow/one.test.ts", 'describe.only("now", () => {});\n'],
  ["skips", "test/flow/one.test.ts", 'it.concurrent.only("now", () => {});\n'],
  ["directives", "src/store/env.ts", "// oxlint-disable-next-line no-console\n"],
  ["directives", "src/store/env.ts", "// @ts-expect-error\n"],
];

describe("the rules", () => {
  it.each(Object.entries(rules))("%s accepts a sound tree", (_name, rule) => {
    expect(rule.check(new Map(Object.entries(sound)))).toEqual([]);
  });

  it.each(plants)("%s refuses %s with %j", (name, path, text) => {
    const broken = new Map(Object.entries({ ...sound, [path]: text }));
    expect(rules[name].check(broken).join("\n")).toContain(path);
  });

  it("are each broken by a plant", () => {
    expect(new Set(plants.map(([name]) => name))).toEqual(new Set(Object.keys(rules)));
  });
});

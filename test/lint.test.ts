import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { bans } from "../tools/lint/bans.ts";

// A misspelt selector matches nothing and bans nothing: each ban has to find what was planted for it.
const plants: Record<keyof typeof bans, readonly [path: string, ...lines: string[]]> = {
  "no-environment": [
    "src/token/environment.ts",
    'export const a = process.env["A"];',
    'export const b = process["env"];',
    "export const { env } = process;",
    'import { env as c } from "node:process"; export const d = c;',
  ],
  "no-global-fetch": [
    "src/token/fetch.ts",
    "void fetch(url);",
    "void globalThis.fetch(url);",
    "new WebSocket(url);",
  ],
  "no-undici-globals": ["src/token/undici.ts", 'import { request } from "undici"; void request(url);'],
  "no-own-client": [
    "src/token/client.ts",
    "new Pool(url);",
    "new http.Agent();",
    "void https.globalAgent;",
    "new EnvHttpProxyAgent();",
  ],
  "no-system-time": [
    "src/token/time.ts",
    "setTimeout(() => {}, 1);",
    "globalThis.setInterval(() => {}, 1);",
    "setImmediate(() => {});",
    "export const now = performance.now();",
  ],
  "no-system-date": [
    "src/token/date.ts",
    "export const a = Date.now();",
    "export const b = new Date();",
    "export const c = process.hrtime.bigint();",
    "export const d = AbortSignal.timeout(5);",
  ],
  "no-timer-modules": [
    "src/token/timers.ts",
    'import { setTimeout as pause } from "node:timers/promises"; void pause(1);',
    'import { performance as clock } from "node:perf_hooks"; void clock;',
  ],
  "no-math-random": ["src/token/random.ts", "export const a = Math.random();"],
  "no-cast": ["src/token/cast.ts", "export const a = b as string;", "export const c = <string>b;"],
  "no-any-cast": ["test/unit/token/cast.test.ts", "export const a = b as any;"],
  "no-barrel": [
    "src/token/barrel.ts",
    'export * from "./token.ts";',
    'export { a } from "./token.ts";',
    'export type { B } from "./token.ts";',
  ],
  "no-default-export": ["src/token/default.ts", "export default 1;"],
  "no-typescript-only-syntax": [
    "src/token/syntax.ts",
    "export enum Color { Red }",
    "export namespace Inner { export const a = 1; }",
    "export class Box { constructor(readonly a: number) {} }",
  ],
  "no-require": ["src/token/require.ts", 'export const a = require("node:fs");'],
  "no-world-in-policy": [
    "src/policy/world.ts",
    'import { isIP } from "node:net"; void isIP;',
    'import fastify from "fastify"; void fastify;',
    'import { readFileSync } from "node:fs"; void readFileSync;',
    'export const a = import("undici");',
  ],
  "no-config-import": [
    "src/token/config.ts",
    'import { a } from "../config/load.ts"; void a;',
    'import type { B } from "../config/load.ts"; export type C = B;',
    'export const d = import("../config/load.ts");',
  ],
  "no-src-in-sandbox": ["src/sandbox/import.ts", 'import { Secret } from "../secret.ts"; void Secret;'],
};

const allowed: Record<string, string> = {
  "src/config/load.ts": 'export const a = process.env["A"];\nexport type B = string;\n',
  "src/cli/start.ts": 'import { a } from "../config/load.ts";\nvoid a;\n',
  "src/clock.ts": "export const now = (): number => Date.now() + performance.now();\n",
  "src/upstream/pool.ts":
    'import { Pool } from "undici";\nexport const pool = (url: string): Pool => new Pool(url);\n',
  "src/policy/target.ts": 'import type { Socket } from "node:net";\nexport type Peer = Socket;\n',
  "src/sandbox/server.ts": "export const later = (): unknown => setTimeout(() => {}, 1);\n",
  "src/token/token.ts":
    'export const a = "b" as const;\nexport const call = (fetch: (url: string) => void): void => fetch("x");\nexport const at = new Date(5);\n',
};

const root = fileURLToPath(new URL("..", import.meta.url));
let folder = "";
/** `path:line rule` of every ban that was found broken. */
let found: readonly string[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "presto-sidecar-lint-"));
  for (const name of [".oxlintrc.json", "tsconfig.json", "package.json", "tools"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const files = Object.entries(allowed);
  for (const [path, ...lines] of Object.values(plants)) files.push([path, `${lines.join("\n")}\n`]);
  for (const [path, text] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const { stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules", "oxlint", "bin", "oxlint"), "-f", "unix", "src", "test"],
    { cwd: folder, encoding: "utf8" },
  );
  const reports = stdout.matchAll(/^([^:\n]+):(\d+):\d+: .*\[\w+\/house\((.+)\)\]$/gm);
  found = [...reports].map(([, path, line, rule]) => `${path}:${line} ${rule}`);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the linter", () => {
  it.each(Object.entries(plants))("refuses by %s each of its plants", (rule, [path, ...lines]) => {
    const expected = lines.map((_, index) => `${path}:${index + 1} ${rule}`);
    expect(found).toEqual(expect.arrayContaining(expected));
  });

  it("lets each thing be done where it belongs", () => {
    expect(found.filter((line) => Object.keys(allowed).some((path) => line.startsWith(`${path}:`)))).toEqual(
      [],
    );
  });
});

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import house from "../tools/lint/house.ts";
import imports, { layers, sandbox } from "../tools/lint/layers.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const places = [...layers, sandbox].flatMap((row) => Object.keys(row));

// What neither of the two tools can see.
describe("the house", () => {
  it("has a map of all that is in src, and of nothing else", () => {
    const found = readdirSync(join(root, "src")).map((name) => name.replace(/\.ts$/, ""));
    expect([...new Set(found)].toSorted()).toEqual(places.toSorted());
  });

  it("has folders of unit tests that src has too", () => {
    expect(readdirSync(join(root, "test/unit")).filter((name) => !places.includes(name))).toEqual([]);
  });

  it.each([".oxlintrc.json", "tools/lint/layers.ts"])("has every file that %s names", (path) => {
    const rules = readFileSync(join(root, path), "utf8").replaceAll("\\", "");
    const named = [...rules.matchAll(/\b(?:src|tools)\/[\w/-]+\.ts\b/g)].map(([name]) => name);
    expect(named.length).toBeGreaterThan(1);
    expect(named.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  });

  it("has every file that its pages name", () => {
    const pages = globSync(["*.md", "docs/**/*.md"], { cwd: root });
    const files = globSync("{src,test,tools,helm,docs,.ci}/**/*.*", { cwd: root }).map((path) => `/${path}`);
    const lost = pages.flatMap((page) =>
      [
        ...readFileSync(join(root, page), "utf8").matchAll(
          /(?<![\w*.$/-])[a-z][\w-]*(?:[/.][\w-]+)*\.(?:ts|sh)\b/g,
        ),
      ]
        .filter(([name]) => !files.some((path) => path.endsWith(`/${name}`)))
        .map(([name]) => `${page}: ${name}`),
    );
    expect(lost).toEqual([]);
  });

  it("has a median length that is told", () => {
    const lengths = globSync("src/**/*.ts", { cwd: root })
      .map((path) => readFileSync(join(root, path), "utf8").split("\n").length - 1)
      .toSorted((one, other) => one - other);
    const median = lengths[Math.floor(lengths.length / 2)] ?? 0;
    process.stdout.write(
      `${lengths.length} source files, median ${median} lines, longest ${lengths.at(-1)}\n`,
    );
    expect(median).toBeLessThanOrEqual(150);
  });
});

/** Files that break no rule: each thing done where it belongs. */
const sound: Record<string, string> = {
  "src/main.ts": 'void import("./cli/start.ts");\n',
  "src/cli/start.ts":
    'import { a } from "../config/load.ts";\nvoid a;\nvoid import("../app.ts");\nvoid import("../sandbox/server.ts");\n',
  "src/cli/sidecar-client.ts": 'import { request } from "../lib/node-http.ts";\nvoid request;\n',
  "src/app.ts":
    'import type { B } from "./config/load.ts";\nimport { open } from "./connect/open.ts";\nvoid open;\nexport type C = B;\n',
  "src/config/load.ts":
    'import { own } from "../connect/local-address.ts";\nexport const a = [process.env["A"], own];\nexport type B = string;\n',
  "src/doctor/dial.ts": 'import { open } from "../connect/open.ts";\nvoid open;\n',
  "src/upstream/kept-connection.ts":
    'import { Client } from "undici";\nimport type { Context } from "../connect/tls.ts";\nexport const client = (url: string): Client => new Client(url);\nexport type D = Context;\n',
  "src/token/token.ts":
    'export const a = "b" as const;\nexport const call = (fetch: (url: string) => void): void => fetch("x");\nexport const at = new Date(5);\n',
  "src/store/file.ts":
    'import { token } from "../secret.ts";\nvoid token; // oxlint-disable-line no-console -- a reason that is told\n',
  "src/connect/open.ts": 'import { connector } from "./connector.ts";\nexport const open = connector;\n',
  "src/connect/connector.ts": 'import { dial } from "./tls.ts";\nexport const connector = dial;\n',
  "src/connect/tls.ts":
    'import { connect } from "node:tls";\nexport const dial = connect;\nexport type Context = string;\n',
  "src/connect/direct.ts": 'import { dial } from "./tls.ts";\nexport const direct = dial;\n',
  "src/store/remote.ts": 'import { direct } from "../connect/direct.ts";\nexport const remote = direct;\n',
  "src/connect/local-address.ts": 'export const own = "127.0.0.1";\n',
  "src/connect/tcp.ts": 'import { connect } from "node:net";\nexport const tcp = connect;\n',
  "src/lib/node-http.ts": 'export const { request } = process.getBuiltinModule("node:http");\n',
  "src/policy/target.ts":
    'import type { Socket } from "node:net";\nimport { inspect } from "node:util";\nexport type Peer = Socket;\nvoid inspect;\n',
  "src/errors.ts": "export const problems = 1;\n",
  "src/secret.ts": "export const token = 1;\n",
  "src/clock.ts": "export const now = (): number => Date.now() + performance.now();\n",
  "src/sandbox/server.ts":
    'import { fault } from "./fault.ts";\nexport const later = (): unknown => setTimeout(fault, 1);\n',
  "src/sandbox/fault.ts": "export const fault = (): void => {};\n",
  "src/sandbox/certificates.ts": 'export const library = (): unknown => import("@peculiar/x509");\n',
  "src/observe/traces.ts": 'import { trace } from "@opentelemetry/api";\nexport const spans = trace;\n',
  "src/app/observers.ts":
    'import type { Spans } from "../observe/traces.ts";\nexport const late = (): unknown => import("../observe/traces.ts");\nexport type Kept = Spans;\n',
  // The other ends of the cycles that are planted.
  "src/token/far-end.ts": 'export const a = (): unknown => import("./cycle.ts");\nexport type A = string;\n',
  "test/flow/far-end.ts": 'import { b } from "./cycle.ts";\nexport const a = (): unknown => b;\n',
  "test/unit/token/token.test.ts":
    'import { a } from "../../../src/token/token.ts";\nit("is there", () => void a);\n',
};

/** A rule, a file, and lines of which each breaks the rule. */
type Plant = readonly [rule: string, path: string, ...lines: string[]];

const lintPlants: readonly Plant[] = [
  [
    "no-environment",
    "src/token/environment.ts",
    'export const a = process.env["A"];',
    'export const b = process["env"];',
    "export const { env } = process;",
    'import { env as c } from "node:process"; export const d = c;',
  ],
  [
    "no-global-fetch",
    "src/token/fetch.ts",
    "void fetch(url);",
    "void globalThis.fetch(url);",
    "new WebSocket(url);",
  ],
  ["no-undici-globals", "src/token/undici.ts", 'import { request } from "undici"; void request(url);'],
  [
    "no-own-client",
    "src/token/client.ts",
    "new Pool(url);",
    "new http.Agent();",
    "void https.globalAgent;",
    "new EnvHttpProxyAgent();",
  ],
  [
    "no-own-dial",
    "src/token/dial.ts",
    'import { connect } from "node:tls"; void connect(url);',
    'import { createConnection as dial } from "node:net"; void dial(url);',
    'import https from "node:https"; void https.get(url);',
    'import * as http from "node:http"; void http.request(url);',
    'import { request } from "../lib/node-http.ts"; void request(url);',
  ],
  [
    "no-system-time",
    "src/token/time.ts",
    "setTimeout(() => {}, 1);",
    "globalThis.setInterval(() => {}, 1);",
    "setImmediate(() => {});",
    "export const now = performance.now();",
  ],
  [
    "no-system-date",
    "src/token/date.ts",
    "export const a = Date.now();",
    "export const b = new Date();",
    "export const c = process.hrtime.bigint();",
    "export const d = AbortSignal.timeout(5);",
  ],
  [
    "no-timer-modules",
    "src/token/timers.ts",
    'import { setTimeout as pause } from "node:timers/promises"; void pause(1);',
    'import { performance as clock } from "node:perf_hooks"; void clock;',
  ],
  ["no-math-random", "src/token/random.ts", "export const a = Math.random();"],
  ["no-cast", "src/token/cast.ts", "export const a = b as string;", "export const c = <string>b;"],
  [
    "no-barrel",
    "src/token/barrel.ts",
    'export * from "./token.ts";',
    'export { a } from "./token.ts";',
    'export type { B } from "./token.ts";',
  ],
  ["no-default-export", "src/token/default.ts", "export default 1;"],
  [
    "no-hidden-import",
    "src/token/hidden.ts",
    'export const a = require("node:fs");',
    "export const b = import(name);",
    'export const c = process.getBuiltinModule("node:net");',
  ],
  [
    "no-failing-test",
    "test/unit/token/failing.test.ts",
    'it.fails("some day", () => {});',
    'it("some day", { skip: true }, () => {});',
  ],
  ["telling-names", "src/store/file-utils.ts", "export const a = 1;"],
  ["telling-names", "src/token/token-manager.ts", "export const a = 1;"],
  ["telling-names", "src/store/index.ts", "export const a = 1;"],
  ["telling-names", "test/helpers/socket.ts", "export const a = 1;"],
  ["telling-names", "src/Store/file.ts", "export const a = 1;"],
  [
    "reasoned-directives",
    "src/store/directives.ts",
    "debugger; // oxlint-disable-line no-debugger",
    "debugger; // oxlint-disable-line no-debugger -- because",
    "debugger; /* oxlint-disable-line no-debugger */",
  ],
  // Rules that are not ours, and that the house counts on.
  [
    "ban-ts-comment",
    "src/store/comments.ts",
    "// @ts-expect-error",
    "// @ts-ignore -- a reason does not help it",
  ],
  [
    "consistent-type-imports",
    "src/store/types.ts",
    'export type A = Promise<import("./file.ts").B>;',
    'export let c: typeof import("./file.ts");',
  ],
  ["filename-case", "src/store/fileStore.ts", "export const a = 1;"],
  ["max-lines", "src/store/long.ts", `${"\n".repeat(400)}export const a = 1;`],
  ["no-abusive-eslint-disable", "src/store/abusive.ts", "debugger; // oxlint-disable-line -- all of them"],
  [
    "no-disabled-tests",
    "test/flow/disabled.test.ts",
    'it.skip("later", () => {});',
    'describe.skip("later", () => {});',
  ],
  ["no-explicit-any", "test/unit/token/any.test.ts", "export const a = b as any;"],
  [
    "no-focused-tests",
    "test/flow/focused.test.ts",
    'describe.only("now", () => {});',
    'it.concurrent.only("now", () => {});',
  ],
  ["no-non-null-assertion", "src/token/null.ts", "export const a = b!.c;"],
  ["warn-todo", "test/flow/todo.test.ts", 'it.todo("later");'],
];

const importPlants: readonly Plant[] = [
  ...places
    .filter((name) => name !== "main")
    .map((name): Plant => [`layer-${name}`, `src/${name}/upwards.ts`, 'import "../main.ts";']),
  // Types, `import()` and neighbours count.
  ["layer-store", "src/store/type.ts", 'import type { A } from "../token/token.ts";'],
  ["layer-store", "src/store/inline.ts", 'import { type A } from "../token/token.ts";'],
  ["layer-store", "src/store/late.ts", 'export const a = async () => (await import("../token/token.ts")).a;'],
  ["layer-store", "src/store/used.ts", '{ await using a = await import("../token/token.ts"); void a; }'],
  ["layer-inbound", "src/inbound/beside.ts", 'import "../doctor/dial.ts";'],
  ["layer-lib", "src/lib/out.ts", 'import "../../test/unit/token/token.test.ts";'],
  ["layer-sandbox", "src/sandbox/shared.ts", 'import "../secret.ts";'],
  ["layer-main", "src/main/sandbox.ts", 'import "../sandbox/server.ts";'],
  ["layer-admin", "src/admin/sandbox.ts", 'import "../sandbox/server.ts";'],
  ["on-the-map", "src/kube/lease.ts", 'import "node:fs";'],
  ["no-cycle", "src/token/cycle.ts", 'import type { A } from "./far-end.ts"; export type B = A;'],
  ["no-cycle", "src/token/self.ts", 'import type { A } from "./self.ts";'],
  ["no-cycle", "test/flow/cycle.ts", 'import { a } from "./far-end.ts"; export const b = () => a;'],
  ["shipped", "src/token/development.ts", 'import type { Test } from "vitest";'],
  ["shipped", "src/token/transitive.ts", 'import "@fastify/reply-from";'],
  ["optional", "src/token/optional.ts", 'import type { X509Certificate } from "@peculiar/x509";'],
  ["optional", "src/sandbox/listener.ts", 'export const a = () => import("@peculiar/x509");'],
  ["leads-somewhere", "src/token/lost.ts", 'import "./nowhere.ts";'],
  ["config-asks", "src/main/configured.ts", 'import type { B } from "../config/load.ts";'],
  ["policy-is-pure", "src/policy/hosts.ts", 'import { isIP, type Socket } from "node:net";'],
  ["policy-is-pure", "src/policy/late.ts", 'export const a = () => import("node:timers/promises");'],
  ["policy-knows-no-framework", "src/policy/reply.ts", 'import type { FastifyReply } from "fastify";'],
  ["one-connector", "src/connect/second.ts", 'import { connector } from "./connector.ts";'],
  ["one-connector", "src/cli/probe.ts", 'export const a = () => import("../connect/connector.ts");'],
  ["no-own-connection", "src/cli/tls.ts", 'import { dial, type Context } from "../connect/tls.ts";'],
  ["no-own-connection", "src/config/tls.ts", 'import { dial } from "../connect/tls.ts";'],
  ["no-own-connection", "src/doctor/tls.ts", 'import { dial } from "../connect/tls.ts";'],
  ["direct-for-stores", "src/doctor/direct.ts", 'import { direct } from "../connect/direct.ts";'],
  ["tracing-room", "src/app/spans.ts", 'import { trace } from "@opentelemetry/api";'],
  ["tracing-room", "src/upstream/span.ts", 'import type { Span } from "@opentelemetry/api";'],
  ["tracing-late", "src/app/traced.ts", 'import { spans } from "../observe/traces.ts";'],
  ["no-own-connection", "src/cli/tcp.ts", 'import { tcp } from "../connect/tcp.ts";'],
];

let folder = "";

/** Writes a tree with the rules of this one, and lets a tool judge it. @returns what it printed */
function judge(plants: readonly Plant[], ...command: readonly [program: string, ...given: string[]]): string {
  const at = join(folder, command[0].split("/")[0] ?? "");
  mkdirSync(at);
  for (const name of [".oxlintrc.json", "tsconfig.json", "package.json", "tools"]) {
    cpSync(join(root, name), join(at, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(at, "node_modules"));
  const files = Object.entries(sound);
  for (const [, path, ...lines] of plants) files.push([path, `${lines.join("\n")}\n`]);
  for (const [path, text] of files) {
    mkdirSync(dirname(join(at, path)), { recursive: true });
    writeFileSync(join(at, path), text);
  }
  const [program, ...given] = command;
  return spawnSync(process.execPath, [join(root, "node_modules", program), ...given, "src", "test"], {
    cwd: at,
    encoding: "utf8",
  }).stdout;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "presto-sidecar-rules-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the linter", () => {
  /** `path:line rule` of all that it found broken. */
  let found: readonly string[] = [];

  beforeAll(() => {
    const reports = judge(lintPlants, "oxlint/bin/oxlint", "-f", "unix").matchAll(
      /^([^:\n]+):(\d+):\d+: .*\[\w+\/[\w-]+\((.+)\)\]$/gm,
    );
    found = [...reports].map(([, path, line, rule]) => `${path}:${line} ${rule}`);
  }, 120_000);

  it.each(lintPlants)("refuses by %s each line of %s", (rule, path, ...lines) => {
    if (rule === "max-lines") expect(found).toContain(`${path}:401 ${rule}`);
    else
      expect(found).toEqual(expect.arrayContaining(lines.map((_, index) => `${path}:${index + 1} ${rule}`)));
  });

  it("lets each thing be done where it belongs", () => {
    const rules = new Set(lintPlants.map(([rule]) => rule));
    const amiss = found.map((line) => line.split(/:\d+ /)).filter(([path = ""]) => path in sound);
    expect(amiss.filter(([, rule = ""]) => rules.has(rule))).toEqual([]);
  });

  it("has a plant for each rule of the house", () => {
    expect(lintPlants.map(([rule]) => rule)).toEqual(expect.arrayContaining(Object.keys(house.rules)));
  });
});

describe("the check of the layers", () => {
  /** `path rule` of all that it found broken. */
  let found: readonly string[] = [];

  beforeAll(() => {
    const reports = judge(
      importPlants,
      "dependency-cruiser/bin/dependency-cruiser.mjs",
      "--config",
      "tools/lint/layers.ts",
    ).matchAll(/^ *error ([\w-]+): (\S+)/gm);
    found = [...reports].map(([, rule, path]) => `${path} ${rule}`);
  }, 120_000);

  it.each(importPlants)("refuses by %s what is in %s: %s", (rule, path) => {
    expect(found).toContain(`${path} ${rule}`);
  });

  it("lets each thing be done where it belongs", () => {
    expect(found.filter((line) => Object.keys(sound).some((path) => line.startsWith(`${path} `)))).toEqual(
      [],
    );
  });

  it("has a plant for each rule", () => {
    expect(new Set(importPlants.map(([rule]) => rule))).toEqual(
      new Set(imports.forbidden.map(({ name }) => name)),
    );
  });
});

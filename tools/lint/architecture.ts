import { posix } from "node:path";

import { codeOf, importsOf, type SourceTree, withoutComments } from "./source-tree.ts";

/** A rule of the house that reads many files. `check` answers one sentence for each violation, its file first. */
export interface Rule {
  readonly promise: string;
  check(tree: SourceTree): readonly string[];
}

function folderOf(path: string): string {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? "";
}

function* sources(tree: SourceTree, under = "src/"): Generator<readonly [path: string, text: string]> {
  for (const [path, text] of tree) if (path.startsWith(under)) yield [path, text];
}

/** A rule that finds forbidden text in code, outside comments and strings. */
function banned(pattern: RegExp, allowed: (path: string) => boolean, sentence: string): Rule["check"] {
  return (tree) =>
    [...sources(tree)]
      .filter(([path, text]) => !allowed(path) && pattern.test(codeOf(text)))
      .map(([path]) => `${path}: ${sentence}`);
}

/** A rule that judges each relative import on its own. */
function eachImport(
  forbids: (from: string, to: string, typeOnly: boolean) => boolean,
  sentence: string,
): Rule["check"] {
  return (tree) =>
    [...sources(tree)].flatMap(([path, text]) =>
      importsOf(path, text)
        .filter(({ target, typeOnly }) => target !== undefined && forbids(path, target, typeOnly))
        .map(({ target }) => `${path}: imports ${target}. ${sentence}`),
    );
}

/** Every import counts, types too: two files that need each other's types are one idea, or lack a third. */
function findCycles(tree: SourceTree): readonly string[] {
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) {
      cycles.push([...trail.slice(start), path].join(" → "));
      return;
    }
    if (done.has(path)) return;
    for (const { target } of importsOf(path, tree.get(path) ?? "")) {
      if (target !== undefined && tree.has(target)) visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const [path] of tree) visit(path, []);
  return cycles;
}

const pureModules = new Set(["node:buffer", "node:util", "node:url", "node:querystring"]);

function findImpurity(tree: SourceTree): readonly string[] {
  return [...sources(tree, "src/policy/")].flatMap(([path, text]) =>
    importsOf(path, text)
      .filter(({ specifier, target, typeOnly }) => {
        if (typeOnly) return false;
        if (target === undefined) return !pureModules.has(specifier);
        return !target.startsWith("src/policy/") && target !== "src/errors.ts" && target !== "src/errors.ts";
      })
      .map(({ specifier }) => `${path}: imports ${specifier}. Policy is pure: pass the value in.`),
  );
}

/** Lines of a file, as an editor counts them. */
export function countLines(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

function findBarrels(tree: SourceTree): readonly string[] {
  const reexport = /^export\s+(?:type\s+)?(?:\*|\{[^}]*\})[^;{}]*\sfrom\s+"/m;
  return [...tree]
    .filter(([path, text]) => posix.basename(path) === "index.ts" || reexport.test(withoutComments(text)))
    .map(([path]) => `${path}: is a barrel, or a part of one. Import from the file that declares the name.`);
}

const vagueWord = /(^|[-./])(utils?|helpers?|common|managers?|services?|misc|stuff)(?=[-./])/;

/** A unit test stands where what it tests stands: it has a source file's name, or imports one of that folder. */
function findStrayTests(tree: SourceTree): readonly string[] {
  const sourceOf = (path: string): string => `src/${path.slice("test/unit/".length)}`;
  return [...sources(tree, "test/unit/")]
    .filter(([path]) => path.endsWith(".test.ts"))
    .filter(([path, text]) => {
      const folder = `${posix.dirname(sourceOf(path))}/`;
      if (importsOf(path, text).some(({ target }) => target?.startsWith(folder) === true)) return false;
      return !tree.has(sourceOf(path).replace(/(\.[a-z-]+)*\.test\.ts$/, ".ts"));
    })
    .map(([path]) => `${path}: mirrors nothing in src. Put it in the folder of what it tests.`);
}

const directive = /(?:oxlint|eslint)-disable(?!-reason)[^\n]*|@ts-(?:expect-error|ignore|nocheck)[^\n]*/g;

function findUnreasonedDirectives(tree: SourceTree): readonly string[] {
  return [...tree].flatMap(([path, text]) =>
    [...text.matchAll(directive)]
      .filter(([line]) => !/\s--\s+\S+\s+\S+/.test(line))
      .map(([line]) => `${path}: "${line.trim()}" gives no reason. End it with " -- " and the reason.`),
  );
}

/** The rules that hold for any tree of this project. */
export const rules = {
  cycles: { promise: "no import cycle, types included", check: findCycles },
  policy: { promise: "policy/ imports no socket, framework or clock", check: findImpurity },
  config: {
    promise: "nobody imports config/ but app.ts, cli/ and config/ itself",
    check: eachImport(
      (from, to) =>
        folderOf(to) === "config" && from !== "src/app.ts" && !/^(cli|config)$/.test(folderOf(from)),
      "Export the options type that this folder wants; config/ makes objects of it.",
    ),
  },
  environment: {
    promise: "process.env is read in config/ and nowhere else",
    check: banned(
      /\bprocess\s*\??\.\s*env\b|\bprocess\[|\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/,
      (path) => folderOf(path) === "config",
      "reads the environment. Ask for the value as an option; config/ reads it.",
    ),
  },
  clients: {
    promise: "connections are made in upstream/pool.ts, kube/ and store/ only",
    check: banned(
      /\bnew\s+(?:\w+\.)?(?:\w*Pool|Client|\w*Agent)\s*\(/,
      (path) => path === "src/upstream/pool.ts" || /^(kube|store)$/.test(folderOf(path)),
      "makes its own connections. Take the pool that upstream/pool.ts makes.",
    ),
  },
  wayOut: {
    promise: "the way out is made in connect/open.ts only",
    check: banned(
      /(?<!function )\bcreateConnector\s*\(/,
      (path) => path === "src/connect/open.ts",
      "makes a way out of its own, without the source address and the egress proxy that are configured. Take openEgress's.",
    ),
  },
  fetch: {
    promise: "no global fetch",
    check: banned(
      /(?<![.\w]|function )fetch\s*\(|globalThis\.fetch/,
      () => false,
      "uses fetch, which has its own connections and follows redirects. Take the pool.",
    ),
  },
  sandbox: {
    promise: "the sandbox imports nothing else from src, and only cli/ imports the sandbox",
    check: eachImport(
      (from, to) =>
        (folderOf(from) === "sandbox" && folderOf(to) !== "sandbox") ||
        (folderOf(to) === "sandbox" && !/^(cli|sandbox)$/.test(folderOf(from))),
      "Code that both sides share would make the same mistake on both.",
    ),
  },
  alone: {
    promise: "src imports nothing from test/ or tools/",
    check: eachImport((_from, to) => !to.startsWith("src/"), "Only src is built and shipped."),
  },
  barrels: { promise: "no barrels", check: findBarrels },
  length: {
    promise: "no file is longer than 400 lines",
    check: (tree) =>
      [...tree]
        .filter(([, text]) => countLines(text) > 400)
        .map(
          ([path, text]) => `${path}: has ${countLines(text)} lines, 400 is the most. Find its second idea.`,
        ),
  },
  names: {
    promise: "files and folders are kebab-case",
    check: (tree) =>
      [...tree.keys()]
        .filter((path) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+([-.][a-z0-9]+)*\.ts$/.test(path))
        .map((path) => `${path}: is not kebab-case.`),
  },
  words: {
    promise: "no name that says nothing: utils, helpers, common, manager, service",
    check: (tree) =>
      [...tree.keys()]
        .filter((path) => vagueWord.test(path))
        .map((path) => `${path}: its name fits anything. Name the thing that it is.`),
  },
  mirror: { promise: "test/unit mirrors src", check: findStrayTests },
  skips: {
    promise: "no test is skipped, focused or left to do",
    check: (tree) =>
      [...sources(tree, "test/")]
        .filter(([, text]) =>
          /\b(?:it|test|describe|suite)(?:\.\w+)*\.(?:skip|only|todo|fails)\b/.test(codeOf(text)),
        )
        .map(([path]) => `${path}: skips, focuses or postpones a test.`),
  },
  directives: { promise: "a check is turned off only with a reason", check: findUnreasonedDirectives },
} as const satisfies Record<string, Rule>;

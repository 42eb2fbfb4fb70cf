import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** Path from the project's root, with `/`, to text. In memory, so that a test can plant a violation. */
export type SourceTree = ReadonlyMap<string, string>;

/** A module that a file names. */
export interface Import {
  /** As written: `../clock.ts`, `node:fs`, `undici`. */
  readonly specifier: string;
  /** Path from the root for a relative one, else undefined. */
  readonly target: string | undefined;
  /** Erased before the program runs. */
  readonly typeOnly: boolean;
}

/** Reads every TypeScript file in these folders, and these files. */
export function readSourceTree(root: string, names: readonly string[]): SourceTree {
  const tree = new Map<string, string>();
  for (const name of names) {
    if (name.endsWith(".ts")) {
      tree.set(name, readFileSync(join(root, name), "utf8"));
      continue;
    }
    for (const entry of readdirSync(join(root, name), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
      const path = join(entry.parentPath, entry.name);
      tree.set(posix.normalize(path.slice(root.length).replace(/^[\\/]+/, "")), readFileSync(path, "utf8"));
    }
  }
  return tree;
}

// The formatter puts every import at the start of a line and in double quotes: that is all the parsing there is to do.
const statement =
  /^(?:import|export)[ ]+(type[ ]+)?((?:[\w$*]+(?:[ ]+as[ ]+[\w$]+)?(?:,\s*)?)?(?:\{[^}]*\})?)\s*from\s+"([^"]+)"/gm;
const bare = /^import\s+"([^"]+)"/gm;
const dynamic = /\bimport\(\s*"([^"]+)"\s*,?\s*\)/g;

function isTypeOnly(keyword: string | undefined, names: string): boolean {
  if (keyword !== undefined) return true;
  const braces = /^\{([^}]*)\}$/.exec(names.trim())?.[1];
  if (braces === undefined) return false;
  const parts = braces.split(",").map((part) => part.trim());
  return parts.every((part) => part === "" || part.startsWith("type "));
}

/** What a file imports or re-exports, statically or by `import("…")`, also where only a type is meant. */
export function importsOf(path: string, text: string): readonly Import[] {
  const found: Import[] = [];
  const add = (specifier: string | undefined, typeOnly: boolean): void => {
    if (specifier === undefined) return;
    const target = specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : undefined;
    found.push({ specifier, target, typeOnly });
  };
  for (const [, keyword, names = "", specifier] of text.matchAll(statement)) {
    add(specifier, isTypeOnly(keyword, names));
  }
  for (const [, specifier] of text.matchAll(bare)) add(specifier, false);
  for (const [, specifier] of withoutComments(text).matchAll(dynamic)) add(specifier, false);
  return found;
}

/** The text without comments: what a comment says of a forbidden thing breaks no rule. Lines stay where they are. */
export function withoutComments(text: string): string {
  return text
    .replaceAll(/\/\*[\s\S]*?\*\//g, (comment) => comment.replaceAll(/[^\n]/g, " "))
    .replaceAll(/(^|\s)\/\/.*$/gm, "$1");
}

/** Also without what stands between double quotes or backquotes on one line. */
export function codeOf(text: string): string {
  return withoutComments(text)
    .replaceAll(/"(?:[^"\\\n]|\\.)*"/g, '""')
    .replaceAll(/`(?:[^`\\\n$]|\\.)*`/g, "``");
}

import { isMadeOf, unreserved } from "./target.ts";

/**
 * What a call does. `reads`: nothing changes. `prepares`: something is begun, and nothing moves by itself.
 * `moves`: acting twice would move money twice, so it is never left half-done, is kept from being sent
 * twice (money/guard.ts), stands in the record, and is never called retryable when its fate is unknown.
 */
export const natures = ["reads", "prepares", "moves"] as const;

export type Nature = (typeof natures)[number];

/** How to ask what became of a call that moves money. */
export interface Reconcile {
  /** The member of the call's body, and of Presto's answers, that holds the reference. */
  readonly member: string;
  /** The path to ask at; `{reference}` is replaced. */
  readonly path: string;
}

/**
 * A call that apps may make, as the table of operations knows it. The guard, the judge, the circuit and the
 * record ask this table and no other what a call is.
 */
export interface Operation {
  /** For logs and metrics: `wallet.confirm`, or `GET /path/{param}` for a configured one. */
  readonly name: string;
  readonly method: string;
  /** Path with `{param}` segments. */
  readonly template: string;
  readonly nature: Nature;
  /** Only of one that moves money. Undefined: nobody can ask, and nothing guards it. */
  readonly reconcile?: Reconcile;
}

export function movesMoney({ nature }: Pick<Operation, "nature">): boolean {
  return nature === "moves";
}

const dot = 0x2e;
const upperA = 0x41;
const lowerA = 0x61;

/** Longest value of a `{param}`, in characters. */
const longestParameter = 128;

const parameter = /^\{[A-Za-z][A-Za-z0-9_]*\}$/;

/**
 * A segment `auth` in any letter case, wherever it stands. Trailing dots count as nothing:
 * there are servers that drop them.
 */
const authSegment = /(?:^|\/)auth\.*(?:\/|$)/i;

/**
 * Does a path, or a template, spell `auth`? It is looked for everywhere, not only right after
 * `/api/institutions/v1/`: behind a front controller the same call may also answer under a
 * longer path (`/index.php/api/…`), and it revokes the token of everybody.
 */
export function isAuthPath(path: string): boolean {
  return authSegment.test(path);
}

/**
 * A template taken apart: `/a/{x}/b` is `["/a/", "/b"]`, `/a/{x}` is `["/a/", ""]`, and a path
 * without a parameter is itself alone.
 */
export interface Template {
  readonly pieces: readonly string[];
}

/** Reads a template, or says in one sentence what is wrong with it. */
export function readTemplate(
  text: string,
): { readonly ok: true; readonly template: Template } | { readonly ok: false; readonly fault: string } {
  if (!text.startsWith("/")) return { ok: false, fault: "the path must begin with a slash" };
  if (isAuthPath(text)) {
    return { ok: false, fault: 'a path with a segment "auth" is never forwarded' };
  }
  const pieces: string[] = [];
  let piece = "";
  for (const segment of text.slice(1).split("/")) {
    if (parameter.test(segment)) {
      pieces.push(`${piece}/`);
      piece = "";
      continue;
    }
    const fault = literalFault(segment);
    if (fault !== undefined) return { ok: false, fault };
    piece += `/${segment}`;
  }
  pieces.push(piece);
  return { ok: true, template: { pieces } };
}

function literalFault(segment: string): string | undefined {
  if (segment === "") return "the path has an empty segment: write each slash once, none at the end";
  if (segment === "." || segment === "..") return 'the path has a "." or ".." segment';
  if (isMadeOf(unreserved, segment)) return undefined;
  if (segment.includes("*")) return "there are no wildcards: list each path, with {name} for a segment";
  return "a segment must be {name}, or hold only letters, digits and - . _ ~";
}

/**
 * Does a canonical path fit? Each parameter takes one segment of 1 to 128 unreserved characters.
 * No path that spells `auth` fits any template: the written pieces were judged by `readTemplate`,
 * and a parameter, which is always a whole segment, does not take it.
 */
export function fits(template: Template, path: string): boolean {
  const { pieces } = template;
  let at = 0;
  for (let index = 0; index < pieces.length; index += 1) {
    if (index > 0) {
      const end = endOfSegment(path, at);
      if (!isParameter(path, at, end)) return false;
      at = end;
    }
    const piece = pieces[index] ?? "";
    if (!path.startsWith(piece, at)) return false;
    at += piece.length;
  }
  return at === path.length;
}

function endOfSegment(path: string, from: number): number {
  let at = from;
  while (at < path.length && unreserved[path.charCodeAt(at)] === 1) at += 1;
  return at;
}

/** Segments that a parameter does not take, though all their characters are unreserved. */
const reservedSegment = /^(?:\.{1,2}|auth\.*)$/i;

function isParameter(path: string, from: number, to: number): boolean {
  const length = to - from;
  if (length === 0 || length > longestParameter) return false;
  const first = path.charCodeAt(from);
  // Spares nearly every reference the copy and the test.
  if (first !== dot && first !== upperA && first !== lowerA) return true;
  return !reservedSegment.test(path.slice(from, to));
}

const wallet = "/api/institutions/v1/wallet";

/** The calls of a wallet top-up: what apps may make unless more is configured. */
export const walletOperations: readonly Operation[] = [
  {
    name: "wallet.init",
    method: "POST",
    template: `${wallet}/init`,
    nature: "prepares",
  },
  {
    name: "wallet.confirm",
    method: "POST",
    template: `${wallet}/confirm`,
    nature: "moves",
    reconcile: { member: "transaction_reference", path: `${wallet}/transaction/{reference}` },
  },
  {
    name: "wallet.transaction",
    method: "GET",
    template: `${wallet}/transaction/{transaction_reference}`,
    nature: "reads",
  },
];

/** What the table says of a method and a path. `allow` is for the `Allow` field of the 405. */
export type Match =
  | { readonly kind: "allowed"; readonly operation: Operation }
  | { readonly kind: "method-not-allowed"; readonly allow: readonly string[] }
  | { readonly kind: "not-allowed" };

/** The table of the operations that may be called. */
export interface Operations {
  /**
   * @param method as the request line has it; methods are case-sensitive, and `HEAD` is not `GET`
   * @param path as `checkTarget` gave it, without the query
   */
  match(method: string, path: string): Match;
}

interface Route {
  readonly template: Template;
  readonly methods: Map<string, Match>;
}

const notAllowed: Match = { kind: "not-allowed" };

/**
 * Makes the table. A path written out wins over a template that it fits, and of two that fit
 * the one listed first wins. Throws a TypeError at a template that `readTemplate` refuses:
 * configured ones must have been judged by it before.
 */
export function createOperations(operations: readonly Operation[]): Operations {
  const literals = new Map<string, Route>();
  const templates = new Map<string, Route>();
  for (const operation of operations) {
    const read = readTemplate(operation.template);
    if (!read.ok) throw new TypeError(`Operation ${operation.name}: ${read.fault}.`);
    const { template } = read;
    const table = template.pieces.length === 1 ? literals : templates;
    const key = template.pieces.join("{}");
    const route = table.get(key) ?? { template, methods: new Map<string, Match>() };
    table.set(key, route);
    if (!route.methods.has(operation.method)) {
      route.methods.set(operation.method, { kind: "allowed", operation });
    }
  }
  const patterns = [...templates.values()];

  return {
    match(method, path) {
      const literal = literals.get(path);
      const exact = literal?.methods.get(method);
      if (exact !== undefined) return exact;

      for (const pattern of patterns) {
        const found = pattern.methods.get(method);
        if (found !== undefined && fits(pattern.template, path)) return found;
      }
      const others = patterns.filter((pattern) => fits(pattern.template, path));
      if (literal !== undefined) others.unshift(literal);
      if (others.length === 0) return notAllowed;
      const allow = new Set(others.flatMap((route) => [...route.methods.keys()]));
      return { kind: "method-not-allowed", allow: [...allow] };
    },
  };
}

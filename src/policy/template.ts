import { isMadeOf, unreserved } from "./character-sets.ts";

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

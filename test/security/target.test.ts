import { posix } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { checkTarget, createOwnAuthority } from "../../src/policy/target.ts";
import { hostileTargets } from "../support/hostile-targets.ts";

// Invariant 2: the token goes to the configured origin and nowhere else. No spelling of the
// request target leads a server or a library to another host or path than the one judged.

const upstream = "https://presto.example";
const isOwn = createOwnAuthority({ host: "presto.example", port: 443 });

describe("a request target in another than its canonical form", () => {
  it.each(hostileTargets)("is refused: %s", (_why, target) => {
    expect(checkTarget(target, isOwn)).toEqual({ ok: false, detail: expect.any(String) });
  });

  it("is refused with a sentence that repeats nothing of it", () => {
    for (const [, target] of hostileTargets) {
      const verdict = checkTarget(`${target}MARKED`, isOwn);
      expect(verdict.ok ? "" : verdict.detail).not.toContain("MARKED");
    }
  });
});

/** Parts of targets, plain and nasty: joined at random they come close to every rule. */
const parts = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("/api", "/v1", "/wallet", "/a.b", "/~x", "/-_", "/...") },
  { weight: 2, arbitrary: fc.constantFrom("?", "?a=b", "&c=%2f", "%00", "'", '"', "<>", "|", "`") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ..."/ // /. /.. /..; \\ %2e %2f % # @ : ; http:// https:// presto.example evil.example :443".split(" "),
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(" ", "\t", "\0", "\r\n", "\x7f", "\uff0e", "\u012f") },
  { weight: 1, arbitrary: fc.string({ maxLength: 5 }) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 3 }) },
);
const starts = fc.oneof(
  { weight: 4, arbitrary: fc.constant("/api") },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "http://presto.example/api",
      "HTTPS://PRESTO.example:443/api",
      "http://presto.example",
      "http://evil.example/api",
      "http://presto.example@",
    ),
  },
  { weight: 1, arbitrary: fc.constant("") },
);
const targets = fc
  .tuple(starts, fc.array(parts, { maxLength: 6 }))
  .map(([start, rest]) => start + rest.join(""));

/** The four printable characters that WHATWG URLs encode in a query; they go out as they came. */
function encodeAsUrlsDo(query: string): string {
  return query.replaceAll(/["<>']/g, (found) => `%${found.charCodeAt(0).toString(16)}`.toUpperCase());
}

describe("a request target that is accepted", () => {
  it("means the same path, query and host to a URL parser, whatever it was made of", () => {
    let accepted = 0;
    fc.assert(
      fc.property(targets, (raw) => {
        const verdict = checkTarget(raw, isOwn);
        if (!verdict.ok) return;
        accepted += 1;
        const url = new URL(verdict.target, upstream);
        expect(url.origin).toBe(upstream);
        expect(url.username + url.password + url.hash).toBe("");
        expect(url.pathname).toBe(verdict.path);
        const query = verdict.target.slice(verdict.path.length);
        expect(verdict.target).toBe(verdict.path + query);
        expect(url.search).toBe(query === "?" ? "" : encodeAsUrlsDo(query));
        expect(new URL(raw, upstream).hostname).toBe("presto.example");
      }),
      { numRuns: 30_000 },
    );
    expect(accepted).toBeGreaterThan(3_000);
  });

  it("is sent as it came, without scheme and host", () => {
    let absolute = 0;
    fc.assert(
      fc.property(targets, (raw) => {
        const verdict = checkTarget(raw, isOwn);
        if (!verdict.ok) return;
        if (raw.startsWith("/")) {
          expect(verdict.target).toBe(raw);
          return;
        }
        absolute += 1;
        expect(raw.slice(0, -verdict.target.length)).toMatch(/^https?:\/\/presto\.example(:443)?$/i);
        expect(raw.endsWith(verdict.target)).toBe(true);
      }),
      { numRuns: 30_000 },
    );
    expect(absolute).toBeGreaterThan(500);
  });

  it("has a path that decoding, folding and normalising leave alone", () => {
    fc.assert(
      fc.property(targets, (raw) => {
        const verdict = checkTarget(raw, isOwn);
        if (!verdict.ok) return;
        expect(verdict.path).toMatch(/^\/[A-Za-z0-9\-._~/]*$/);
        expect(decodeURIComponent(verdict.path)).toBe(verdict.path);
        expect(encodeURI(verdict.path)).toBe(verdict.path);
        expect(verdict.path.normalize("NFKC")).toBe(verdict.path);
        expect(posix.normalize(verdict.path)).toBe(verdict.path);
        expect(verdict.path === "/" || !verdict.path.endsWith("/")).toBe(true);
      }),
      { numRuns: 30_000 },
    );
  });
});

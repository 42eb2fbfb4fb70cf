import { describe, expect, it } from "vitest";

import type { EgressVerdict } from "../../../src/egress-ip/classify.ts";
import { countsOf, verdictOf } from "../../support/outcome-letters.ts";

type Row = readonly [verdict: EgressVerdict, rows: readonly (readonly [stream: string, seen: string])[]];

// Letters: a accepted, p refused by the application, l 429, t 401, D found dead by a probe, f 403, h HTML page,
// r reset, c connection refused, o timed out, e 5xx or cut off, u unclear. Then what check URLs see: y, n.

const table: readonly Row[] = [
  [
    "registered",
    [
      ["a", ""],
      ["p", ""],
      ["l", ""],
      ["aaaaaaaaaaaaaaaaaaaa", ""],
      ["aaaaaaaaaaaaaaaaaaaa", "2y"],
      ["", "1y"],
      ["", "2y"],
      ["u", "1y"],
      ["uuuuuuuua", ""],
      ["ffffaaaaa", ""],
      ["aaaaaaaaaaf", ""],
      ["aaaaaaaafff", ""],
      ["afafafaaf", ""],
      ["aaaheaara", ""],
      ["aaaaaaaeee", ""],
      ["aaaaaaaooo", ""],
      ["aaaaaaaccc", ""],
      ["aaaaarr", ""],
      ["llllllll", ""],
      ["alalalal", ""],
      ["plplpl", ""],
      ["t", ""],
      ["aat", ""],
      ["aatt", ""],
      ["ttta", ""],
      ["ttttttta", ""],
      ["Da", ""],
      ["atatatat", ""],
      ["eeeeeeeaaaaaaaaa", ""],
      ["aaaa", "1n"],
      ["aaaaaaaaaaaaaaaaf", "1n"],
      ["pppp", "2n"],
    ],
  ],
  [
    "not-registered",
    [
      ["fff", ""],
      ["hhh", ""],
      ["rrr", ""],
      ["fhf", ""],
      ["frfr", ""],
      ["ffff", "1y"],
      ["hhhh", "2y"],
      ["f", "1n"],
      ["h", "2n"],
      ["r", "1n"],
      ["c", "1n"],
      ["rcrc", "1n"],
      ["aafff", ""],
      ["aaaaaaahhhhhhhh", ""],
      ["aaaaaaarrrrrrrr", ""],
      ["aaaaaaaaaaaaaaaaffffffffff", ""],
      ["rrrrrrrro", ""],
      ["fffffo", ""],
      ["ffffe", ""],
      ["hhhhhhtt", ""],
      ["rrrrrrrrrrrrrrrrrrrr", ""],
      ["", "2n"],
      ["uu", "3n"],
      ["tfffff", ""],
      ["eeeffff", ""],
    ],
  ],
  [
    "dead-token",
    [
      ["ttt", ""],
      ["ttttttttttttttttttttt", ""],
      ["aaaaaaaaaaaaaaaattt", ""],
      ["tttp", ""],
      ["aptptpt", ""],
      ["D", ""],
      ["aaaaD", ""],
      ["aDp", ""],
      ["tteett", ""],
      ["tltltl", ""],
      ["ttt", "1y"],
      ["ttt", "2n"],
      ["ttttf", ""],
      ["attttee", ""],
      ["eeettttt", ""],
    ],
  ],
  [
    "partner-outage",
    [
      ["eee", ""],
      ["ooo", ""],
      ["ccc", ""],
      ["eoc", ""],
      ["eoceoceoc", "1y"],
      ["rrr", "1y"],
      ["rrrrrr", "2y"],
      ["rrcrr", "1y"],
      ["reoro", ""],
      ["rcrc", ""],
      ["aaaaaaaeeeeeeee", ""],
      ["aaaaaaaaaaaaaaaaooooooooo", ""],
      ["oooot", ""],
      ["eeeettt", ""],
      ["eeeef", ""],
      ["oooo", "1n"],
      ["eeee", "2n"],
    ],
  ],
  [
    "unknown",
    [
      ["", ""],
      ["u", ""],
      ["uuuuuuuuuuuu", ""],
      ["", "1n"],
      ["", "1y1n"],
      ["", "2y2n"],
      ["f", ""],
      ["ff", ""],
      ["r", ""],
      ["e", ""],
      ["oo", ""],
      ["afaf", ""],
      ["aaff", ""],
      ["aeae", ""],
      ["fefe", ""],
      ["aafe", ""],
    ],
  ],
];

describe.each(table)("%s", (verdict, rows) => {
  it.each(rows)("%j, and the check URLs %j", (stream, seen) => {
    expect(verdictOf(stream, countsOf(seen))).toBe(verdict);
  });
});

describe("an old outcome", () => {
  it("is looked at no more when sixteen came after it", () => {
    expect(verdictOf(`${"f".repeat(40)}${"a".repeat(8)}`, countsOf(""))).toBe("unknown");
    expect(verdictOf(`${"f".repeat(40)}${"a".repeat(9)}`, countsOf(""))).toBe("registered");
  });

  it("is pushed out by nothing that tells nothing", () => {
    expect(verdictOf(`fff${"u".repeat(100)}`, countsOf(""))).toBe("not-registered");
  });
});

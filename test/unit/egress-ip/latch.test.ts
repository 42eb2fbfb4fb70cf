import { describe, expect, it } from "vitest";

import { mustBeClosed } from "../../../src/egress-ip/latch.ts";
import { countsOf } from "../../support/outcome-letters.ts";

type Row = readonly [
  was: "open" | "closed",
  seen: string,
  letInSince: boolean,
  signs: number,
  becomes: "open" | "closed",
  why: string,
];

const rows: readonly Row[] = [
  ["open", "", false, 0, "open", "nobody was asked"],
  ["open", "", false, 99, "open", "Presto's signs alone close nothing"],
  ["open", "1y", false, 99, "open", "the address is registered"],
  ["open", "2y", false, 0, "open", "the address is registered"],
  ["open", "1n", false, 0, "open", "one stranger's page stops nothing"],
  ["open", "1n", false, 1, "closed", "one, and Presto turns us away"],
  ["open", "1n", false, 5, "closed", "one, and Presto turns us away"],
  ["open", "1n", true, 0, "open", "Presto answers"],
  ["open", "1n", true, 1, "open", "Presto answers, and one call was turned away for itself"],
  ["open", "1n", true, 4, "open", "Presto answers, and four calls were turned away for themselves"],
  ["open", "1n", true, 5, "closed", "Presto answered, and turns us away now"],
  ["open", "2n", false, 0, "closed", "two agree"],
  ["open", "3n", false, 0, "closed", "three agree"],
  ["open", "2n", false, 1, "closed", "two agree, and Presto too"],
  ["open", "2n", true, 0, "open", "two agree, and Presto contradicts them"],
  ["open", "2n", true, 4, "open", "two agree, and Presto contradicts them, nearly always"],
  ["open", "2n", true, 5, "closed", "two agree, and Presto has come to agree"],
  ["open", "1y1n", false, 0, "open", "they contradict each other"],
  ["open", "1y1n", false, 1, "closed", "they contradict each other, and Presto decides"],
  ["open", "1y2n", false, 0, "closed", "two agree, whatever a third sees"],
  ["closed", "", false, 0, "closed", "nobody answers, and nothing has changed"],
  ["closed", "", false, 1, "closed", "nobody answers, and Presto turns us away"],
  ["closed", "", true, 0, "open", "nobody answers, but Presto does"],
  ["closed", "1n", false, 0, "closed", "one of the two that closed it does not answer now"],
  ["closed", "1n", true, 0, "open", "Presto answers"],
  ["closed", "2n", false, 0, "closed", "nothing has changed"],
  ["closed", "2n", true, 0, "open", "Presto answers"],
  ["closed", "1y", false, 0, "open", "the address is registered"],
  ["closed", "1y", false, 9, "open", "the address is registered, and the signs are older"],
  ["closed", "2y", false, 0, "open", "the address is registered"],
  ["closed", "1y1n", false, 0, "open", "there is no ground to close it either"],
  ["closed", "1y1n", false, 1, "closed", "Presto turns us away"],
];

describe("the latch", () => {
  it.each(rows)(
    "%s, seen %j, let in since: %s, %i signs: %s (%s)",
    (was, seen, letInSince, signs, becomes) => {
      const closed = mustBeClosed({ closed: was === "closed", addresses: countsOf(seen), letInSince, signs });
      expect(closed ? "closed" : "open").toBe(becomes);
    },
  );
});

import { describe, expect, it } from "vitest";

import { parseList, InvalidValue } from "../../../src/config/parse.ts";

function short(entry: string): string {
  if (entry.length > 3) throw new InvalidValue("is too long");
  return entry;
}

describe("comma lists", () => {
  it("lose the white space around entries, as YAML's folded text has it", () => {
    expect(parseList(" a,\tb ,\r\n c\n", short)).toEqual(["a", "b", "c"]);
  });

  it("keep odd white space, for the entry's own check to refuse", () => {
    expect(parseList("\u00a0a,b", short)).toEqual(["\u00a0a", "b"]);
  });

  it.each([",a", "a,", "a,,b", "a, ,b", ","])("%j has a comma too many", (text) => {
    expect(() => parseList(text, short)).toThrow("comma too many");
  });

  it("tell of every bad entry by its place, and of a single one without", () => {
    expect(() => parseList("long1,b,long2", short)).toThrow("entry 1: is too long; entry 3: is too long");
    expect(() => parseList("long1", short)).toThrow(/^is too long$/);
  });

  it("refuse an entry that stands there twice, where that is asked for", () => {
    expect(parseList("a,A", short)).toEqual(["a", "A"]);
    expect(() => parseList("a,b,A", short, (entry) => entry.toLowerCase())).toThrow(
      "entry 3: it is the same as entry 1",
    );
  });

  it("let a defect of the check through", () => {
    const broken = (): never => {
      throw new TypeError("a defect");
    };
    expect(() => parseList("a", broken)).toThrow(TypeError);
  });
});

import { describe, expect, it } from "vitest";

import { variableNames } from "../../../src/config/variables.ts";
import { exitCodes, problems } from "../../../src/errors.ts";
import { fill, generators, table } from "../../../tools/docs.ts";

const one = new Map([["one", () => "ONE"]]);

describe("documents made from the code", () => {
  it("are filled between the marks, and nowhere else", () => {
    const text = "a\n<!-- made from the code: one -->\nold\n<!-- end -->\nb\n";
    const filled = fill(text, one);
    expect(filled).toBe("a\n<!-- made from the code: one -->\n\nONE\n\n<!-- end -->\nb\n");
    expect(fill(filled, one)).toBe(filled);
    expect(fill("no marks", one)).toBe("no marks");
  });

  it.each([
    ["<!-- made from the code: two -->\n<!-- end -->", "two"],
    ["<!-- made from the code: one -->\n", "no end"],
    ["<!-- made from the code: one -->\n<!-- made from the code: one -->\n<!-- end -->", "no end"],
    ["<!-- end -->", "no mark"],
  ])("%j is refused", (text, why) => {
    expect(() => fill(text, one)).toThrow(why);
  });

  it("keep every row of the tables they are made from", () => {
    const made = (name: string): string => generators.get(name)?.() ?? "";
    for (const name of variableNames) expect(made("configuration")).toContain(`| \`${name}\` `);
    for (const code of Object.keys(problems)) expect(made("problems")).toContain(`| \`${code}\` `);
    for (const code of Object.values(exitCodes))
      expect(made("exit-codes")).toMatch(new RegExp(`^\\| ${code} `, "m"));
    for (const name of ["SSLKEYLOGFILE", "--inspect*"]) expect(made("environment")).toContain(name);
  });

  it("have tables that a formatter leaves alone", () => {
    expect(table(["a", "long head"], [["1|2", "x"]])).toBe(
      "| a    | long head |\n| ---- | --------- |\n| 1\\|2 | x         |",
    );
  });
});

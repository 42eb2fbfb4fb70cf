import { expect, it } from "vitest";

import { bold, printTable } from "../../../src/cli/terminal.ts";
import { createTestIo } from "../../support/command-io.ts";

it("is bold on a terminal only, and only where NO_COLOR allows it", () => {
  const terminal = createTestIo({ terminal: true }).io;
  const quiet = createTestIo({ terminal: true, env: { NO_COLOR: "1" } }).io;
  const empty = createTestIo({ terminal: true, env: { NO_COLOR: "" } }).io;
  const dumb = createTestIo({ terminal: true, env: { TERM: "dumb" } }).io;
  const pipe = createTestIo().io;
  expect(bold(terminal, terminal.stdout, "x")).toBe("\u001b[1mx\u001b[22m");
  expect(bold(empty, empty.stdout, "x")).toBe("\u001b[1mx\u001b[22m");
  for (const io of [quiet, dumb, pipe]) expect(bold(io, io.stdout, "x")).toBe("x");
});

it("aligns the values of a table", () => {
  const { io, out } = createTestIo();
  printTable(io, [
    ["a", "1"],
    ["long name", "2"],
  ]);
  expect(out()).toBe("a          1\nlong name  2\n");
});

import { expect, it } from "vitest";

import { bold, logLook, printTable } from "../../../src/cli/terminal.ts";
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

it("has the log for people on a terminal and for machines elsewhere, unless something else is asked for", () => {
  const look = (options: Parameters<typeof createTestIo>[0], asked?: "json" | "ecs" | "text") =>
    logLook(createTestIo(options).io, asked);
  expect(look({ terminal: true })).toEqual({ format: "text", colours: true });
  expect(look({ terminal: true, env: { NO_COLOR: "1" } })).toEqual({ format: "text", colours: false });
  expect(look({ terminal: true }, "ecs")).toMatchObject({ format: "ecs" });
  expect(look({})).toEqual({ format: "json", colours: false });
  expect(look({}, "text")).toEqual({ format: "text", colours: false });
});

it("aligns the values of a table", () => {
  const { io, out } = createTestIo();
  printTable(io, [
    ["a", "1"],
    ["long name", "2"],
  ]);
  expect(out()).toBe("a          1\nlong name  2\n");
});

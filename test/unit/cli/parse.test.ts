import { describe, expect, it } from "vitest";

import { commands } from "../../../src/cli/commands.ts";
import { parseCommandLine } from "../../../src/cli/parse.ts";
import { CommandError } from "../../../src/errors.ts";

function parse(line: string): ReturnType<typeof parseCommandLine> {
  return parseCommandLine(line === "" ? [] : line.split(" "), commands);
}

function refusal(argv: readonly string[]): string {
  try {
    parseCommandLine(argv, commands);
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === 64) return error.message;
    throw error;
  }
  throw new Error(`not refused: ${argv.join(" ")}`);
}

describe("a command line", () => {
  it("without a word asks for nothing", () => {
    expect(parse("")).toEqual({ kind: "nothing" });
  });

  it("finds commands of one word and of two", () => {
    expect(parse("check")).toMatchObject({ kind: "run", command: { name: "check" } });
    expect(parse("token import")).toMatchObject({ kind: "run", command: { name: "token import" } });
  });

  it("reads options with and without a value, in both ways of writing", () => {
    for (const line of [
      "token import --json --name ops --expires=2030-01-02",
      "token import --expires 2030-01-02 --name=ops --json",
    ]) {
      const request = parse(line);
      if (request.kind !== "run") throw new Error("not run");
      expect([request.args.flag("json"), request.args.text("name"), request.args.text("expires")]).toEqual([
        true,
        "ops",
        "2030-01-02",
      ]);
    }
    const bare = parse("token import");
    if (bare.kind !== "run") throw new Error("not run");
    expect([bare.args.flag("json"), bare.args.text("name")]).toEqual([false, undefined]);
  });

  it.each(["--help", "-h", "help", "help help"])("asks for the program's help by %s", (line) => {
    expect(parse(line)).toEqual({ kind: "help", command: undefined });
  });

  it.each(commands.map((command) => command.name))("asks for the help of %s in each way", (name) => {
    for (const line of [`${name} --help`, `${name} -h`, `help ${name}`]) {
      expect(parse(line)).toMatchObject({ kind: "help", command: { name } });
    }
  });

  it.each(["token --help", "token -h", "help token"])("asks for the help of a group by %s", (line) => {
    const request = parse(line);
    if (request.kind !== "group-help") throw new Error(request.kind);
    expect(request.group.map(({ name }) => name)).toEqual([
      "token issue",
      "token renew",
      "token import",
      "token show",
    ]);
  });

  it("takes a command that is the first word of another for itself", () => {
    expect(parse("outcomes --help")).toMatchObject({ kind: "help", command: { name: "outcomes" } });
    expect(parse("help outcomes")).toMatchObject({ kind: "help", command: { name: "outcomes" } });
  });

  it("refuses words behind the one that help is asked of", () => {
    for (const line of ["help token show x", "help check check", "help check --json"])
      expect(refusal(line.split(" "))).toContain("one command");
    expect(parse("help check --help")).toMatchObject({ kind: "help", command: { name: "check" } });
  });

  it("asks for the help of variables", () => {
    expect(parse("help variables")).toEqual({ kind: "variable-help", name: undefined });
    expect(parse("help PRESTO_URL")).toEqual({ kind: "variable-help", name: "PRESTO_URL" });
    expect(parse("help --help")).toEqual({ kind: "help", command: undefined });
  });

  it("takes a negative number for a value, which its reader refuses", () => {
    const request = parse("wait --timeout -5s");
    if (request.kind !== "run") throw new Error(request.kind);
    expect(request.args.text("timeout")).toBe("-5s");
  });

  it.each(["--version", "-V", "-v", "version"])("asks for the version by %s", (line) => {
    expect(parse(line)).toEqual({ kind: "version" });
  });

  it("names the command that was probably meant", () => {
    expect(refusal(["statsu"])).toContain('as "statsu"; there is "status"');
    expect(refusal(["token", "imprt"])).toContain('as "token imprt"; there is "token import"');
    expect(refusal(["help", "quti"])).toContain('there is "quit"');
  });

  it("names the option that was probably meant", () => {
    expect(refusal(["check", "--jsn"])).toContain('as "--jsn"; there is "--json"');
    expect(refusal(["token", "import", "--expire=2030-01-01"])).toContain('there is "--expires"');
  });

  it("says which words follow one that is not enough", () => {
    expect(refusal(["token"])).toContain("token import, token show");
  });

  it("refuses a value that is missing, empty, or the next option", () => {
    for (const argv of [
      ["wait", "--timeout"],
      ["wait", "--timeout="],
      ["token", "import", "--name", "--json"],
    ]) {
      expect(refusal(argv)).toContain("needs a value for");
    }
  });

  it("refuses a value where none belongs", () => {
    expect(refusal(["check", "--json=yes"])).toContain("takes no value for --json");
  });

  it("has no option by inheritance", () => {
    for (const name of ["constructor", "__proto__", "toString"])
      expect(refusal(["check", `--${name}`])).toContain("has no such option");
  });

  const secret = "1111|MARKED-secret-of-this-test";
  it.each([
    [[secret]],
    [["token", secret]],
    [["token", "import", secret]],
    [["token", "import", `--token=${secret}`]],
    [["token", "import", "--token", secret]],
    [["token", "import", `--${secret}`]],
    [["token", "import", "--", secret]],
    [["token", "import", `--json=${secret}`]],
    [["check", secret]],
    [["help", secret]],
    [["keygen", "-t", secret]],
  ])("refuses %j without repeating it", (argv) => {
    expect(refusal(argv)).not.toContain("MARKED");
  });

  it("says why a token is not taken from an argument, and what to do", () => {
    const message = refusal(["token", "import", secret]);
    expect(message).toContain("Secrets are never taken from arguments");
    expect(message).toContain("Pipe the token in");
  });
});

import { readFileSync } from "node:fs";
import { PassThrough } from "node:stream";

import { describe, expect, it } from "vitest";

import { commands } from "../../../src/cli/commands.ts";
import { runCommand } from "../../../src/cli/run.ts";
import { StopSignal } from "../../../src/cli/signals.ts";
import { rowOf, variableNames } from "../../../src/config/variables.ts";
import { createTestIo, runHere, type TestIo } from "../../support/command-io.ts";

const promised = [
  "start",
  "check",
  "doctor",
  "status",
  "token issue",
  "token renew",
  "token import",
  "token show",
  "credentials import",
  "password reset",
  "outcomes",
  "outcomes resolve",
  "keygen",
  "audit verify",
  "wait",
  "drain",
  "quit",
  "healthcheck",
  "sandbox",
  "demo",
  "completion",
];

describe("the table of commands", () => {
  it("has exactly the promised ones", () => {
    expect(commands.map((command) => command.name)).toEqual(promised);
  });

  it.each(commands)("$name has code behind it, and an example that calls it", async (command) => {
    expect(command.examples.join("\n")).toContain(`presto-sidecar ${command.name}`);
    expect(command.summary).not.toMatch(/\.$/);
  });
});

/** As much of a summary as surely stands on its first line. */
function firstWords(summary: string): string {
  return summary.split(" ").slice(0, 5).join(" ");
}

describe("help", () => {
  it("lists every command on standard output", async () => {
    const { code, out, err } = await runHere(["help"]);
    expect([code, err]).toEqual([0, ""]);
    for (const command of commands)
      expect(out).toMatch(new RegExp(`^  ${command.name} +${firstWords(command.summary)}`, "m"));
  });

  it("stands on standard error, with 64, where no command was given", async () => {
    const { code, out, err } = await runHere([]);
    expect([code, out]).toEqual([64, ""]);
    expect(err).toBe((await runHere(["help"])).out);
  });

  it.each(commands)("of $name names each option and example, in lines that fit", async (command) => {
    const { code, out, err } = await runHere([...command.name.split(" "), "--help"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain(`Usage: presto-sidecar ${command.name}`);
    for (const name of Object.keys(command.options)) expect(out).toContain(`--${name}`);
    for (const example of command.examples) expect(out).toContain(example);
    const prose = out.split("\n").filter((line) => !command.examples.includes(line.trim()));
    for (const line of prose) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describe("help on variables", () => {
  it("lists each with its default and what it does, in lines that fit", async () => {
    const { code, out, err } = await runHere(["help", "variables"]);
    expect([code, err]).toEqual([0, ""]);
    for (const name of variableNames) expect(out).toMatch(new RegExp(`^${name}\\n    Default: `, "m"));
    expect(out).not.toContain("`");
    for (const line of out.split("\n").filter((each) => each.includes(" ")))
      expect(line.length).toBeLessThanOrEqual(140);
  });

  it.each(variableNames)("tells of %s alone, with an example", async (name) => {
    const { code, out, err } = await runHere(["help", name]);
    expect([code, err]).toEqual([0, ""]);
    expect(out.split("\n")[0]).toBe(name);
    expect(out).toContain(`Example: ${name}=${rowOf(name).example}`);
  });

  it("names the one that was probably meant, and repeats nothing else", async () => {
    expect((await runHere(["help", "PRESTO_TIMEOT"])).err).toContain('there is "PRESTO_TIMEOUT"');
    const { code, err } = await runHere(["help", "MARKED_SECRET_OF_SOMEBODY"]);
    expect(code).toBe(64);
    expect(err).not.toContain("MARKED");
  });
});

describe("a command line", () => {
  it("is told the version", async () => {
    const manifest: unknown = JSON.parse(
      readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
    );
    expect(manifest).toMatchObject({ version: (await runHere(["--version"])).out.trim() });
  });

  it("that is wrong ends with 64, one line, and nothing on standard output", async () => {
    for (const argv of [
      ["chekc"],
      ["check", "--jsn"],
      ["token"],
      ["help", "nothing"],
      ["wait", "--timeout", "soon"],
      ["outcomes", "--wait", "--timeout", "soon"],
      ["sandbox", "--port", "x"],
      ["token", "renew", "--wait", "0s"],
      ["token", "isue"],
      ["credentials"],
      ["password", "reset", "a-new-password"],
    ]) {
      const { code, out, err } = await runHere(argv);
      expect([argv, code, out]).toEqual([argv, 64, ""]);
      expect(err).toMatch(/^presto-sidecar: [^\n]+\n$/);
    }
  });

  // Standard input never ends, and this command does not look at the signal itself.
  function stuckImport(): TestIo {
    const env = {
      PRESTO_STORE: "file:/nowhere/token",
      PRESTO_STORE_KEY: Buffer.alloc(32).toString("base64"),
    };
    return createTestIo({ env, stdin: new PassThrough() });
  }

  it("ends with the signal's code when it is stopped, without a word", async () => {
    const test = stuckImport();
    const running = runCommand(["token", "import"], test.io);
    test.stop(new StopSignal("SIGTERM"));
    expect(await running).toBe(143);
    expect(test.err()).toBe("");
  });

  it("ends so at once when the signal came before it", async () => {
    const test = stuckImport();
    test.stop(new StopSignal("SIGINT"));
    expect(await runCommand(["token", "import"], test.io)).toBe(130);
  });

  it("that waits ends with the signal's code too", async () => {
    const test = createTestIo({ env: { PRESTO_ADMIN_LISTEN: "127.0.0.1:1" } });
    const running = runCommand(["wait"], test.io);
    test.stop(new StopSignal("SIGTERM"));
    expect(await running).toBe(143);
  });
});

describe("keygen", () => {
  it("prints the base64 of 32 new bytes, alone", async () => {
    const runs = await Promise.all([runHere(["keygen"]), runHere(["keygen"])]);
    for (const { code, out, err } of runs) {
      expect([code, err]).toEqual([0, ""]);
      expect(out).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    }
    expect(runs[0]?.out).not.toBe(runs[1]?.out);
  });
});

describe("check", () => {
  const env = { PRESTO_URL: "https://presto.example", PRESTO_TOKEN: "MARKED-token" };

  it("prints the configuration with secrets masked", async () => {
    for (const options of [[], ["--json"]]) {
      const { code, out, err } = await runHere(["check", ...options], { env });
      expect([code, err]).toEqual([0, ""]);
      expect(out).toContain("https://presto.example");
      expect(out).toContain("[secret]");
      expect(out).not.toContain("MARKED");
    }
  });

  it("prints JSON for machines", async () => {
    const printed: unknown = JSON.parse((await runHere(["check", "--json"], { env })).out);
    expect(printed).toMatchObject({ warnings: [] });
    expect(printed).toHaveProperty("variables");
  });

  it("says what is allowed but odd", async () => {
    const { code, err } = await runHere(["check"], { env: { ...env, NODE_EXTRA_CA_CERTS: "/ca.pem" } });
    expect(code).toBe(0);
    expect(err).toMatch(/^Warning: .*NODE_EXTRA_CA_CERTS/);
  });

  it("ends with 78 and prints every mistake as JSON where that is wanted", async () => {
    const { code, out, err } = await runHere(["check", "--json"], {
      env: { PRESTO_LISTEN: "nowhere", PRESTO_TIMEUOT: "1s", PRESTO_TOKEN: "MARKED token" },
    });
    expect([code, err]).toEqual([78, ""]);
    const { problems }: { problems: { variable: string; wrong: string; example: string }[] } =
      JSON.parse(out);
    expect(problems.map(({ variable }) => variable).toSorted()).toEqual(
      ["PRESTO_LISTEN", "PRESTO_TIMEUOT", "PRESTO_TOKEN", "PRESTO_URL"].toSorted(),
    );
    for (const { wrong, example } of problems) expect([wrong, example]).not.toContain("");
    expect(out).not.toContain("MARKED");
  });

  it("ends with 78 and names every mistake, on standard error", async () => {
    const { code, out, err } = await runHere(["check"], {
      env: { PRESTO_LISTEN: "nowhere", PRESTO_TIMEUOT: "1s", PRESTO_TOKEN: "MARKED token" },
    });
    expect([code, out]).toEqual([78, ""]);
    for (const name of ["PRESTO_URL", "PRESTO_LISTEN", "PRESTO_TIMEUOT", "PRESTO_TOKEN"])
      expect(err).toContain(name);
    expect(err).not.toContain("MARKED");
  });
});

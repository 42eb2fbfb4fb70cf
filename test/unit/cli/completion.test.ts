import { spawnSync } from "node:child_process";

import { describe, expect, it } from "vitest";

import { commands } from "../../../src/cli/commands.ts";
import { runHere } from "../../support/command-io.ts";

async function scriptFor(shell: string): Promise<string> {
  const { code, out, err } = await runHere(["completion", shell]);
  expect([code, err]).toEqual([0, ""]);
  return out;
}

function hasShell(shell: string): boolean {
  return spawnSync(shell, ["-c", "true"]).status === 0;
}

describe.runIf(hasShell("bash"))("bash", () => {
  /** What it offers for the last of these words. */
  async function offered(...words: readonly string[]): Promise<readonly string[]> {
    const line = ["presto-sidecar", ...words];
    const program = `
      COMP_WORDS=(${line.map((word) => `'${word}'`).join(" ")})
      COMP_CWORD=${line.length - 1}
      _presto_sidecar
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const run = spawnSync("bash", ["--norc", "-c", `${await scriptFor("bash")}${program}`], {
      encoding: "utf8",
    });
    expect(run.stderr).toBe("");
    return run.stdout.split("\n").filter((word) => word !== "");
  }

  it("offers commands by their first word, and then their second", async () => {
    const firsts = [...new Set(commands.map(({ name }) => name.split(" ")[0]))];
    expect(new Set(await offered(""))).toEqual(new Set([...firsts, "help", "--help", "--version"]));
    expect(await offered("tok")).toEqual(["token"]);
    expect(await offered("token", "i")).toEqual(["issue", "import"]);
    expect(await offered("outcomes", "r")).toEqual(["resolve"]);
  });

  it("offers the options of a command, wherever they stand, and no others", async () => {
    expect(await offered("token", "import", "--")).toEqual(["--name", "--expires", "--json", "--help"]);
    expect(await offered("token", "import", "--name", "ops", "--e")).toEqual(["--expires"]);
    expect(await offered("wait", "--")).toEqual(["--timeout", "--pid", "--help"]);
    expect(await offered("outcomes", "--")).toEqual(["--wait", "--timeout", "--json", "--help"]);
  });

  it("offers the few words that an option or a command takes, files where they are taken, and topics of help", async () => {
    expect(await offered("outcomes", "resolve", "TRX1", "--as", "")).toEqual(["completed", "failed"]);
    expect(await offered("completion", "")).toEqual(["bash", "zsh", "fish", "--help"]);
    expect(await offered("audit", "verify", "package.j")).toEqual(["package.json"]);
    expect(await offered("check", "package.j")).toEqual([]);
    expect(await offered("help", "var")).toEqual(["variables"]);
  });
});

describe.each(["zsh", "fish"])("%s", (shell) => {
  it("has every command and every option in its script", async () => {
    const script = await scriptFor(shell);
    for (const { name, options } of commands) {
      for (const word of name.split(" ")) expect(script).toContain(word);
      for (const option of Object.keys(options))
        expect(script).toMatch(shell === "fish" ? new RegExp(`-l ${option} `) : new RegExp(`'--${option}:`));
    }
  });

  it.runIf(hasShell(shell))("reads its script without a complaint", async () => {
    const read = shell === "zsh" ? "autoload -U compinit; compinit -D; " : "";
    const run = spawnSync(shell, ["-c", `${read}${await scriptFor(shell)}`], { encoding: "utf8" });
    expect([run.status, run.stderr]).toEqual([0, ""]);
  });
});

it("another shell is refused, and those that are known are named", async () => {
  const { code, err } = await runHere(["completion", "powershell"]);
  expect(code).toBe(64);
  expect(err).toContain("bash, zsh, fish");
  expect((await runHere(["completion"])).code).toBe(64);
});

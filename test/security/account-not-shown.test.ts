import { randomBytes } from "node:crypto";

import { describe, expect, it } from "vitest";

import { runCommand } from "../../src/cli/run.ts";
import { createTestIo } from "../support/command-io.ts";
import { type Mark, marksIn } from "../support/marks.ts";

// Invariant 4 for the account, whose e-mail address is a secret as its password is: not told
// when the configuration is shown, nor when it is refused.

const email = `mail${randomBytes(8).toString("hex")}@institution.example`;
const password = `Pass${randomBytes(12).toString("hex")}"<&'%\\/+= ä`;
const key = randomBytes(32).toString("base64");
const marks: readonly Mark[] = [
  { name: "the e-mail", value: email },
  { name: "the password", value: password },
  { name: "the store key", value: key },
];

const base = {
  PRESTO_URL: "https://presto.example",
  PRESTO_ROLE: "all",
  PRESTO_STORE: "file:/nowhere/record",
  PRESTO_STORE_KEY: key,
};
const account = { PRESTO_EMAIL: email, PRESTO_PASSWORD: password };

async function run(
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const { io, out, err } = createTestIo({ env, stdin: "" });
  const code = await runCommand(argv, io);
  const output = out() + err();
  expect([argv, marksIn(output, marks)]).toEqual([argv, []]);
  return { code, output };
}

describe("the account is not shown", () => {
  it.each([[["check"]], [["check", "--json"]]])("by %j", async (argv) => {
    const { code, output } = await run(argv, { ...base, ...account });
    expect(code).toBe(0);
    expect(output).toContain("PRESTO_EMAIL");
    expect(output.split("[secret]")).toHaveLength(4);
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ["the role must not have it", { PRESTO_ROLE: "proxy" }, "PRESTO_EMAIL: the role proxy"],
    ["its address is none", { PRESTO_EMAIL: `${email} ${email}` }, "PRESTO_EMAIL: holds a space"],
    ["its address has no @", { PRESTO_EMAIL: email.replace("@", "+") }, "PRESTO_EMAIL: is not an e-mail"],
    ["its password is broken", { PRESTO_PASSWORD: `${password}\ufffd` }, "PRESTO_PASSWORD: is not valid"],
    ["it is given twice", { PRESTO_CREDENTIALS: "file:/c" }, "PRESTO_CREDENTIALS: is given beside"],
    ["it stands where a path should", { PRESTO_PASSWORD_FILE: password }, "PRESTO_PASSWORD_FILE: "],
    [
      "it stands where an address should",
      { PRESTO_CREDENTIALS: password },
      "PRESTO_CREDENTIALS: is none of file:",
    ],
    ["half of it is missing", { PRESTO_PASSWORD: "" }, "PRESTO_PASSWORD_FILE: the role all"],
    ["its variable is misspelt", { PRESTO_PASWORD: password }, "PRESTO_PASWORD: there is no such variable"],
    ["the store can't be written", { PRESTO_STORE: "env:" }, "PRESTO_STORE: is env:"],
  ])("by a start that is refused because %s", async (_why, env, says) => {
    const { code, output } = await run(["start"], { ...base, ...account, ...env });
    expect(code).toBe(78);
    expect(output).toContain(says);
  });
});

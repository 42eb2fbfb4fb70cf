import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { systemClock } from "../../../src/clock.ts";
import { parseObject } from "../../../src/lib/json.ts";
import { Secret } from "../../../src/secret.ts";
import { createSingleHostLock, renewalLockPath } from "../../../src/store/file/lock.ts";
import { runHere } from "../../support/command-io.ts";
import {
  createIssuingCommands,
  email,
  type IssuingCommands,
  password,
} from "../../support/issuing-commands.ts";
import { type Mark, marksIn } from "../../support/marks.ts";
import { markedToken } from "../../support/token-commands.ts";

const next = "Second-marked-Passw0rd";

let commands: IssuingCommands;
let env: Record<string, string>;
beforeEach(async () => {
  commands = await createIssuingCommands();
  commands.hide("the new password", next);
  await commands.putCredentials({ email, password, pending: null });
  env = { PRESTO_AUDIT: `file:${join(commands.folder, "audit.jsonl")}` };
});
afterEach(() => commands.close());

const path = (): string => join(commands.folder, "audit.jsonl.commands");

/** The lines of the commands' record but its first; none of them holds a secret, and the chain is whole. */
async function lines(): Promise<Record<string, unknown>[]> {
  const text = readFileSync(path(), "utf8");
  const marks: Mark[] = [
    { name: "the e-mail address", value: email },
    { name: "the password", value: password },
    { name: "the new password", value: next },
    { name: "the imported token", value: markedToken },
    { name: "the live token", value: commands.sandbox.token },
  ];
  expect(marksIn(text, marks)).toEqual([]);
  expect((await runHere(["audit", "verify", path()])).code).toBe(0);
  return text
    .split("\n")
    .slice(1, -1)
    .map((line) => ({ ...parseObject(line) }));
}

const ended = (command: string) => ({ type: "command-ended", command, end: "done", ms: expect.any(Number) });

describe("the record of commands", () => {
  it("has token import: begun, what it has stored, and its end", async () => {
    const argv = ["token", "import", "--name", "ops", "--expires", "2099-02-22"];
    expect((await commands.run(argv, markedToken, env)).code).toBe(0);
    expect(await lines()).toMatchObject([
      { type: "command-begun", command: "token import" },
      {
        type: "token-imported",
        generation: 1,
        token_id: new Secret(markedToken).fingerprint(),
        name: "ops",
        expires_at: "2099-02-22T00:00:00.000Z",
      },
      ended("token import"),
    ]);
  });

  it.each([
    ["token issue", ["token", "issue", "--yes"]],
    ["token renew", ["token", "renew"]],
  ])("has %s: the issue call before it is made, its end, and what was stored", async (command, argv) => {
    expect((await commands.run(argv, "", env)).code).toBe(0);
    const record = await commands.stored();
    const taken = await lines();
    expect(taken).toMatchObject([
      { type: "command-begun", command },
      { type: "issue-begun", intent: expect.any(String), reason: expect.any(String) },
      { type: "issue-ended", end: "issued" },
      { type: "token-stored", generation: 1, token_id: record?.token?.fingerprint() },
      ended(command),
    ]);
    expect(taken[2]?.["intent"]).toBe(taken[1]?.["intent"]);
  });

  it("has credentials import, and whether others stood there", async () => {
    const json = JSON.stringify({ email, password });
    expect((await commands.run(["credentials", "import"], json, env)).code).toBe(0);
    expect(await lines()).toMatchObject([
      { type: "command-begun", command: "credentials import" },
      { type: "credentials-imported", replaced: true },
      ended("credentials import"),
    ]);
  });

  it("has password reset, and how it ended", async () => {
    expect((await commands.run(["password", "reset"], `${next}\n`, env)).code).toBe(0);
    expect(await lines()).toMatchObject([
      { type: "command-begun", command: "password reset" },
      { type: "password-reset", end: "changed" },
      ended("password reset"),
    ]);
  });

  it("has the end of one that failed, with its code", async () => {
    const lock = createSingleHostLock({
      path: renewalLockPath(commands.path),
      what: "it",
      clock: systemClock,
    });
    const held = await lock.acquire({ waitMs: 0 });
    try {
      expect((await commands.run(["token", "import"], markedToken, env)).code).toBe(75);
    } finally {
      await held.release();
    }
    expect(await lines()).toMatchObject([
      { type: "command-begun", command: "token import" },
      { type: "command-ended", command: "token import", end: "failed", code: "try-again" },
    ]);
  });

  it("goes to standard error where the record is standard output, each line marked", async () => {
    const { code, out, err } = await commands.run(["token", "import", "--json"], markedToken, {
      PRESTO_AUDIT: "stdout",
    });
    expect([code, parseObject(out)?.["generation"]]).toEqual([0, 1]);
    const marked = err.split("\n").filter((line) => line.includes('"record":true'));
    expect(marked.map((line) => parseObject(line)?.["type"])).toEqual([
      "file",
      "command-begun",
      "token-imported",
      "command-ended",
    ]);
  });

  it("stops a command that it can't take down, before anything is done", async () => {
    const nowhere = { PRESTO_AUDIT: `file:${join(commands.folder, "none", "audit.jsonl")}` };
    const { code, err } = await commands.run(["token", "issue", "--yes"], "", nowhere);
    expect([code, commands.calls("token/issue")]).toEqual([78, 0]);
    expect(err).toContain("PRESTO_AUDIT");
    expect((await commands.run(["password", "reset"], `${next}\n`, nowhere)).code).toBe(78);
    expect(commands.calls("password/reset")).toBe(0);
  });
});

import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { runCommand } from "../../src/cli/run.ts";
import { createTestIo } from "../support/command-io.ts";
import { type Mark, marksIn } from "../support/marks.ts";
import { exchange } from "../support/raw-caller.ts";
import { httpAnswer, type RawPresto, startRawPresto } from "../support/raw-presto.ts";
import { startProgram, startServing } from "../support/source-program.ts";

// Invariant 4 for whole processes: what commands print, also when they fail, and
// what is left behind.

const token = `1111|Tok${randomBytes(12).toString("hex")}"<&'%\\/+=~`;
const key = randomBytes(32).toString("base64");
const otherKey = randomBytes(32).toString("base64");
const password = `Pass${randomBytes(12).toString("hex")}`;
const marks: readonly Mark[] = [
  { name: "the token", value: token },
  { name: "the store key", value: key },
  { name: "another store key", value: otherKey },
  { name: "a password", value: password },
];

let folder: string;
let presto: RawPresto;
let base: Readonly<Record<string, string>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "presto-secrets-"));
  presto = await startRawPresto();
  writeFileSync(join(folder, "ca.pem"), presto.authority.certPem);
  writeFileSync(join(folder, "token-with-a-space"), `${token} ${token}`, { mode: 0o600 });
  writeFileSync(join(folder, "writable"), token);
  writeFileSync(join(folder, "bad-key"), `${key}${key}`, { mode: 0o600 });
  base = {
    PRESTO_URL: presto.url,
    PRESTO_CA_FILE: join(folder, "ca.pem"),
    PRESTO_LISTEN: "127.0.0.1:0",
    PRESTO_ADMIN_LISTEN: `unix:${join(folder, "admin")}`,
    PRESTO_CONTROL_LISTEN: `unix:${join(folder, "control")}`,
    PRESTO_LOG_LEVEL: "trace",
  };
  const { code, output } = await run(["token", "import", "--name", "tests"], inFile, token);
  if (code !== 0) throw new Error(`nothing was imported: ${output}`);
});

afterAll(async () => {
  await presto.close();
  rmSync(folder, { recursive: true, force: true });
});

const record = (): string => `file:${join(folder, "record")}`;
const inFile = (): Record<string, string> => ({ PRESTO_STORE: record(), PRESTO_STORE_KEY: key });

/** Runs a command to its end in this process, which is quick, and searches all that it printed. */
async function run(
  argv: readonly string[],
  env: () => Readonly<Record<string, string>>,
  stdin = "",
): Promise<{ readonly code: number | null; readonly output: string }> {
  const { io, out, err } = createTestIo({ env: { ...base, ...env() }, stdin });
  const code = await runCommand(argv, io);
  const output = out() + err();
  expect([argv, marksIn(output, marks)]).toEqual([argv, []]);
  return { code, output };
}

/** The same in a process of its own. */
async function runApart(
  argv: readonly string[],
  env: () => Readonly<Record<string, string>>,
  stdin = "",
): Promise<{ readonly code: number | null; readonly output: string }> {
  const program = startProgram(argv, { env: { ...base, ...env() }, stdin });
  const code = await program.ended;
  const output = program.output();
  expect([argv, marksIn(output, marks)]).toEqual([argv, []]);
  return { code, output };
}

type Case = readonly [
  what: string,
  argv: readonly string[],
  env: () => Record<string, string>,
  code: number,
  says: string,
  stdin?: string,
];

const printing: readonly Case[] = [
  ["check, as JSON", ["check", "--json"], () => ({ PRESTO_TOKEN: token }), 0, "PRESTO_TOKEN"],
  ["token show", ["token", "show"], inFile, 0, "fingerprint"],
  ["token show, as JSON", ["token", "show", "--json"], inFile, 0, "fingerprint"],
  ["token show of a variable", ["token", "show"], () => ({ PRESTO_TOKEN: token }), 0, "fingerprint"],
  ["token import of bad bytes", ["token", "import"], inFile, 65, "presto-sidecar:", `${token} ${token}`],
  [
    "token import with the wrong key",
    ["token", "import"],
    () => ({ ...inFile(), PRESTO_STORE_KEY: otherKey }),
    78,
    "key",
    token,
  ],
  [
    "token show with the wrong key",
    ["token", "show"],
    () => ({ ...inFile(), PRESTO_STORE_KEY: otherKey }),
    78,
    "key",
  ],
  [
    "start with a key that is none",
    ["start"],
    () => ({ ...inFile(), PRESTO_STORE_KEY: `${key}${key}` }),
    78,
    "PRESTO_STORE_KEY",
  ],
  ["start with a token with a space", ["start"], () => ({ PRESTO_TOKEN: `${token} x` }), 78, "PRESTO_TOKEN"],
  [
    "start with a token with a line end",
    ["start"],
    () => ({ PRESTO_TOKEN: `${token}\nX-Evil: y` }),
    78,
    "PRESTO_TOKEN",
  ],
  [
    "start with a token in the place of its file's path",
    ["start"],
    () => ({ PRESTO_TOKEN: token, PRESTO_TOKEN_FILE: "/x" }),
    78,
    "PRESTO_TOKEN",
  ],
  [
    "start with a misspelt name",
    ["start"],
    () => ({ PRESTO_TOKEN: token, PRESTO_TOKNE: token, PRESTO_STORE_KEYS: key }),
    78,
    "PRESTO_TOKNE",
  ],
  [
    "start with credentials that it must not have",
    ["start"],
    () => ({ PRESTO_TOKEN: token, PRESTO_PASSWORD: password }),
    78,
    "PRESTO_PASSWORD",
  ],
  [
    "start with a password in the URL",
    ["start"],
    () => ({ PRESTO_TOKEN: token, PRESTO_URL: `https://me:${password}@localhost` }),
    78,
    "PRESTO_URL",
  ],
  [
    "start with the token as a number",
    ["start"],
    () => ({ PRESTO_TOKEN: token, PRESTO_MAX_BODY: "lots" }),
    78,
    "PRESTO_MAX_BODY",
  ],
  ["status of nobody", ["status"], () => ({ PRESTO_TOKEN: token }), 69, "presto-sidecar:"],
];

const printingApart: readonly Case[] = [
  [
    "start with a key file that is none",
    ["start"],
    () => ({ PRESTO_STORE: record(), PRESTO_STORE_KEY_FILE: join(folder, "bad-key") }),
    78,
    "key",
  ],
  ["check", ["check"], () => ({ PRESTO_TOKEN: token }), 0, "PRESTO_TOKEN"],
  [
    "check of a sealed store",
    ["check", "--json"],
    () => ({ ...inFile(), PRESTO_STORE_KEY: `${key},${otherKey}` }),
    0,
    "PRESTO_STORE_KEY",
  ],
  ["start with the wrong key", ["start"], () => ({ ...inFile(), PRESTO_STORE_KEY: otherKey }), 78, "key"],
  [
    "start with a token file with a space",
    ["start"],
    () => ({ PRESTO_TOKEN_FILE: join(folder, "token-with-a-space") }),
    78,
    "token",
  ],
];

describe("no secret is printed", () => {
  for (const [what, argv, env, code, says, stdin] of printing) {
    it(`by ${what}`, async () => {
      const result = await run(argv, env, stdin);
      expect(result.code).toBe(code);
      expect(result.output).toContain(says);
    });
  }

  for (const [what, argv, env, code, says, stdin] of printingApart) {
    it(`by ${what}, in a process of its own`, async () => {
      const result = await runApart(argv, env, stdin);
      expect(result.code).toBe(code);
      expect(result.output).toContain(says);
    });
  }

  it("by the sealed record, nor by anything that lies beside it", () => {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith("record")) continue;
      expect(marksIn(readFileSync(join(folder, name), "latin1"), marks)).toEqual([]);
    }
    expect(existsSync(join(folder, "record"))).toBe(true);
  });

  it("by commands that ask a running sidecar, nor by it while it ends", async () => {
    const program = await startServing({ env: { ...base, ...inFile() } });
    onTestFinished(() => void program.child.kill("SIGKILL"));
    presto.answer((request) => request.socket.write(httpAnswer(401, JSON.stringify({ token }))));
    const call = "GET /api/institutions/v1/wallet/transaction/T HTTP/1.1\r\nHost: localhost\r\n\r\n";
    expect((await exchange(program, call)).status).toBe(401);
    for (const argv of [["status"], ["status", "--json"], ["healthcheck"], ["wait"], ["drain"], ["quit"]]) {
      expect(await run(argv, () => ({}))).toMatchObject({ code: 0 });
    }
    expect(await program.ended).toBe(0);
    expect(program.output()).toContain("Presto answered 401");
    expect(marksIn(program.output(), marks)).toEqual([]);
  });
});

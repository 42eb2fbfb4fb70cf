import { writeFile } from "node:fs/promises";

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";

import { createSandbox, type Sandbox } from "../../src/sandbox/server.ts";
import { type CliResult, runCli } from "../support/built-cli.ts";
import { openProgramStage, patience, type ProgramStage } from "../support/program-stage.ts";
import { type StandInApi, startStandInApi } from "../support/stand-in-api.ts";
import { issuePath } from "../support/token-host.ts";
import { until } from "../support/until.ts";
import type { WatchedCli } from "../support/watched-cli.ts";

// What `kubectl exec -i POD -- presto-sidecar …` does: the command runs in the rotator's container, beside it and with its
// environment, and its standard input is a pipe, never a terminal.

let api: StandInApi;
let sandbox: Sandbox;
let stage: ProgramStage;
let rotator: WatchedCli;

beforeAll(async () => {
  [api, sandbox] = [await startStandInApi(), createSandbox({ issuedAgoMs: 3_600_000 })];
  await sandbox.start();
});
afterAll(async () => {
  await sandbox.close();
  await api.close();
});
beforeEach(async () => {
  sandbox.reset();
  stage = await openProgramStage(sandbox, {
    PRESTO_ROLE: "rotator",
    PRESTO_LISTEN: undefined,
    PRESTO_STORE: "kubernetes:presto/token",
    PRESTO_CREDENTIALS: "kubernetes:presto/account",
    POD_NAMESPACE: "presto",
    POD_NAME: "rotator-0",
  });
  await writeFile(stage.at("kubeconfig"), api.kubeconfig());
  for (const name of ["token", "account"]) api.put(name, {});
  rotator = stage.start({ KUBECONFIG: stage.at("kubeconfig") });
  await stage.readinessSays("[-]token");
});
afterEach(async () => {
  await stage.close();
  for (const name of ["token", "account"]) api.remove(name);
  api.leases.remove("token");
});

const issues = (): number => sandbox.state().requests[`POST ${issuePath}`] ?? 0;

/** By a pipe of the shell's making, as a container's runtime makes one: where Node starts a program, it is a socket. */
async function piped(argv: readonly string[], input: string): Promise<CliResult> {
  await writeFile(stage.at("input"), input, { mode: 0o600 });
  return runCli(argv, {
    env: stage.environment({ KUBECONFIG: stage.at("kubeconfig") }),
    node: "/bin/sh",
    nodeArgs: ["-c", 'input=$1; shift; cat "$input" | exec "$@"', "sh", stage.at("input"), process.execPath],
  });
}

const account = () => JSON.stringify({ email: sandbox.account.email, password: sandbox.account.password });

it.each([
  ["no line end", ""],
  ["a line end", "\n"],
  ["CRLF", "\r\n"],
])("with %s: the token is imported, and the rotator beside it follows", async (_what, end) => {
  const { code, out, err } = await piped(
    ["token", "import", "--expires", "2027-01-31"],
    `${sandbox.token}${end}`,
  );
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain("generation 1");
  await stage.ready();
  expect(await stage.status()).toMatchObject({ generation: 1 });
  const shown = await piped(["token", "show", "--json"], "");
  expect(JSON.parse(shown.out)).toMatchObject({ generation: 1, expires_at: "2027-01-31T00:00:00.000Z" });
  expect(issues()).toBe(0);
  for (const said of [out, err, shown.out, rotator.out(), rotator.err()])
    expect(said).not.toContain(sandbox.token);
});

it.each([
  ["no line end", (text: string) => text],
  ["a line end", (text: string) => `${text}\n`],
  ["CRLF between and behind", (text: string) => `${text.replace(",", ",\r\n  ")}\r\n`],
])(
  "with %s: the account is imported, and the rotator beside it issues the first token",
  async (_what, form) => {
    const { code, out, err } = await piped(["credentials", "import"], form(account()));
    expect([code, err]).toEqual([0, ""]);
    await until(async () => ((await stage.status())["generation"] === 1 ? true : undefined), {
      ...patience,
      what: () => `it issues: ${stage.output()}`,
    });
    await stage.ready();
    expect(issues()).toBe(1);
    for (const said of [out, err, rotator.out(), rotator.err()])
      for (const secret of [sandbox.account.email, sandbox.account.password, sandbox.token])
        expect(said).not.toContain(secret);
  },
);

it.each([
  ["token import", ["token", "import"], "", 65],
  ["token import of two lines", ["token", "import"], "one\ntwo\n", 65],
  ["credentials import", ["credentials", "import"], "", 65],
  ["credentials import of half an object", ["credentials", "import"], '{"email":"a@b.example",', 65],
])("%s of nothing useful is refused, and stores nothing", async (_what, argv, input, expected) => {
  const { code, err } = await piped(argv, input);
  expect(code).toBe(expected);
  expect(err).toMatch(/[Nn]othing was (stored|given)/);
  expect(api.secret("token")?.data).toEqual({});
  expect(api.secret("account")?.data).toEqual({});
});

it("both, one after the other: the imported token serves until it is due, and none is issued in its place", async () => {
  expect((await piped(["token", "import", "--expires", "2027-01-31"], sandbox.token)).code).toBe(0);
  expect((await piped(["credentials", "import"], `${account()}\n`)).code).toBe(0);
  await stage.ready();
  const renewed = await piped(["token", "renew"], "");
  expect([renewed.code, renewed.out]).toEqual([0, expect.stringContaining("generation 2")]);
  expect(issues()).toBe(1);
});

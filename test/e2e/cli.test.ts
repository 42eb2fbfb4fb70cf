import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { runCli } from "../support/built-cli.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "cli-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const secret = "1111|MARKED-token-of-this-test";
const key = Buffer.alloc(32, 7).toString("base64");

const nowhere = { PRESTO_ADMIN_LISTEN: "127.0.0.1:1", PRESTO_CONTROL_LISTEN: "127.0.0.1:2" };

describe("exit codes", () => {
  interface Case {
    readonly what: string;
    readonly code: number;
    readonly argv: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly stdin?: string;
    readonly says: RegExp;
  }
  const cases: readonly Case[] = [
    { what: "no command", code: 64, argv: [], says: /Usage: presto-sidecar/ },
    { what: "an unknown command", code: 64, argv: ["strat"], says: /there is "start"/ },
    { what: "an unknown option", code: 64, argv: ["check", "--jason"], says: /there is "--json"/ },
    {
      what: "a token as an argument",
      code: 64,
      argv: ["token", "import", secret],
      says: /Secrets are never taken from arguments/,
    },
    {
      what: "a token in an option",
      code: 64,
      argv: ["token", "import", `--token=${secret}`],
      says: /Secrets are never taken from arguments/,
    },
    {
      what: "bytes that are no token",
      code: 65,
      argv: ["token", "import"],
      stdin: "MARKED token",
      says: /Nothing was stored/,
    },
    { what: "no token in the store", code: 66, argv: ["token", "show"], says: /no token in the store/ },
    { what: "no sidecar for status", code: 69, argv: ["status"], env: nowhere, says: /No sidecar answers/ },
    { what: "no sidecar for drain", code: 69, argv: ["drain"], env: nowhere, says: /No sidecar answers/ },
    { what: "no sidecar for quit", code: 69, argv: ["quit"], env: nowhere, says: /No sidecar answers/ },
    {
      what: "no sidecar for healthcheck",
      code: 1,
      argv: ["healthcheck"],
      env: nowhere,
      says: /No sidecar answers/,
    },
    {
      what: "a wait that ran out",
      code: 75,
      argv: ["wait", "--timeout", "50ms"],
      env: nowhere,
      says: /Not ready within 50ms/,
    },
    {
      what: "a store that can't be written",
      code: 77,
      argv: ["token", "import"],
      env: { PRESTO_STORE: "env:", PRESTO_STORE_KEY: "" },
      stdin: secret,
      says: /env:/,
    },
    {
      what: "a wrong configuration",
      code: 78,
      argv: ["check"],
      env: { PRESTO_LISTEN: "x" },
      says: /PRESTO_URL[^]*PRESTO_LISTEN|PRESTO_LISTEN[^]*PRESTO_URL/,
    },
    {
      what: "a wrong configuration at start",
      code: 78,
      argv: ["start"],
      env: { PRESTO_LISTEN: "x" },
      says: /PRESTO_LISTEN/,
    },
    {
      what: "nobody to ask for outcomes: the control listener is off",
      code: 69,
      argv: ["outcomes"],
      env: { PRESTO_CONTROL_LISTEN: "off" },
      says: /PRESTO_CONTROL_LISTEN is off/,
    },
    {
      what: "a control listener that is off",
      code: 78,
      argv: ["quit"],
      env: { PRESTO_CONTROL_LISTEN: "off" },
      says: /PRESTO_CONTROL_LISTEN is off/,
    },
  ];

  it.each(cases)("$code: $what", async ({ code, argv, env, stdin, says }) => {
    const store = { PRESTO_STORE: `file:${join(folder, "none")}`, PRESTO_STORE_KEY: key };
    const result = await runCli(argv, {
      env: { ...store, ...env },
      ...(stdin === undefined ? {} : { stdin }),
    });
    expect(result).toMatchObject({ code });
    // What ends a start is a line of the log, too.
    if (argv[0] === "start") expect(result.out).toMatch(/^\{"level":"fatal",.*"exit_code":78,.*\}\n$/);
    else expect(result.out).toBe("");
    expect(result.err).toMatch(says);
    expect(result.out + result.err).not.toContain("MARKED");
  });

  it("71: a port that is in use, told with the address", async () => {
    const taker = createServer();
    taker.listen(0, "127.0.0.1");
    await once(taker, "listening");
    const bound = taker.address();
    const port = bound !== null && typeof bound === "object" ? bound.port : 0;
    try {
      const { code, err } = await runCli(["start"], {
        env: {
          PRESTO_URL: "https://localhost:1",
          PRESTO_TOKEN: secret,
          PRESTO_LISTEN: `127.0.0.1:${port}`,
          PRESTO_ADMIN_LISTEN: "127.0.0.1:0",
          PRESTO_CONTROL_LISTEN: "off",
        },
      });
      expect(code).toBe(71);
      expect(err).toContain(`127.0.0.1:${port}: another process listens there`);
    } finally {
      taker.close();
    }
  });
});

describe("the stored token", () => {
  it("goes in by a pipe, and is shown without itself", async () => {
    const env = {
      PRESTO_STORE: `file:${join(folder, "token")}`,
      PRESTO_STORE_KEY: (await runCli(["keygen"])).out,
    };
    const imported = await runCli(["token", "import", "--expires", "2099-01-02", "--name", "ops"], {
      env,
      stdin: `${secret}\n`,
    });
    expect(imported).toMatchObject({ code: 0, err: "" });
    const shown = await runCli(["token", "show", "--json"], { env });
    expect(JSON.parse(shown.out)).toMatchObject({
      name: "ops",
      generation: 1,
      expires_at: "2099-01-02T00:00:00.000Z",
    });
    expect(imported.out + shown.out).not.toContain("MARKED");
  });

  it.each([
    ["with the wrong key", { PRESTO_STORE_KEY: Buffer.alloc(32, 9).toString("base64") }, "sealed"],
    ["damaged", { PRESTO_STORE_KEY: key }, "damaged"],
  ])("%s ends start, show and import with 78, and is left alone", async (_what, env, name) => {
    const path = join(folder, name);
    const store = { PRESTO_STORE: `file:${path}`, PRESTO_STORE_KEY: key };
    if (name === "damaged") writeFileSync(path, "garbage\n", { mode: 0o600 });
    else expect((await runCli(["token", "import"], { env: store, stdin: secret })).code).toBe(0);
    for (const argv of [["token", "show"], ["token", "import"], ["start"]]) {
      const result = await runCli(argv, {
        env: { PRESTO_URL: "https://localhost:1", ...store, ...env },
        stdin: secret,
      });
      expect([argv, result.code]).toEqual([argv, 78]);
      expect(result.err).toContain(path);
    }
  });
});

it("the demo ends with 0 without a terminal, with no variable set", async () => {
  const { code, out, err } = await runCli(["demo"]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain("The money moved exactly once.");
});

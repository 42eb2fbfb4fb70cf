import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { createAuthority, createSelfSigned } from "../../src/sandbox/certificates.ts";
import { exchange } from "../support/raw-caller.ts";
import type { WireAnswer } from "../support/raw-caller.ts";
import { httpAnswer, startRawPresto } from "../support/raw-presto.ts";
import type { RawPresto } from "../support/raw-presto.ts";
import { startSidecar } from "../support/running-sidecar.ts";
import type { RunningSidecar } from "../support/running-sidecar.ts";
import { createSealedToken } from "../support/sealed-token.ts";
import { readStrictly } from "../support/strict-wire.ts";
import { confirmCall, initCall, queryCall } from "../support/wallet-call.ts";

// Invariant 9: no token, or nobody to trust, means a typed error to the caller, and never a call
// without credentials, whatever becomes of the token's file while calls come in.

const authority = await createAuthority();
const live = new Set<string>();
let presto: RawPresto;
let folder: string;
let tokenFile: string;

beforeEach(async () => {
  live.clear();
  folder = mkdtempSync(join(tmpdir(), "presto-closed-"));
  tokenFile = join(folder, "token");
  presto = await startRawPresto({ authority });
});

afterEach(async () => {
  expectLiveTokens();
  await presto.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Of everything that ever came: one Authorization line, with a token that was live at some time. */
function expectLiveTokens(): void {
  for (const { fields } of presto.wire().flatMap(readStrictly)) {
    const given = fields.filter(([name]) => name === "authorization").map(([, value]) => value);
    expect(given).toHaveLength(1);
    expect([...live].map((token) => `Bearer ${token}`)).toContain(given[0]);
  }
}

function replace(content: string | Buffer): void {
  writeFileSync(`${tokenFile}.new`, content, { mode: 0o600 });
  renameSync(`${tokenFile}.new`, tokenFile);
}

async function start(env: Readonly<Record<string, string | undefined>>): Promise<RunningSidecar> {
  const sidecar = await startSidecar({
    url: presto.url,
    caPem: authority.certPem,
    env: { PRESTO_HOLD_MAX: "100ms", PRESTO_TOKEN: undefined, ...env },
  });
  onTestFinished(() => sidecar.close());
  return sidecar;
}

const fromFile = () => ({ PRESTO_TOKEN_FILE: tokenFile });

async function expectNoToken(sidecar: RunningSidecar): Promise<void> {
  for (const bytes of [
    initCall(),
    confirmCall("T-1"),
    queryCall("T-1", "Authorization: Bearer callers-own"),
  ]) {
    const answer = await exchange(sidecar, bytes);
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({
      "presto-outcome": "not-sent",
      "retry-after": expect.stringMatching(/^\d+$/),
    });
    expect(JSON.parse(answer.body)).toMatchObject({ code: "no-token", outcome: "not-sent", retryable: true });
  }
  expect(presto.connections()).toBe(0);
}

const call = (sidecar: RunningSidecar): Promise<WireAnswer> => exchange(sidecar, initCall());

describe("without a token nothing is sent", () => {
  it.each([
    ["its file is absent", () => {}],
    ["its file is empty", () => replace("")],
    ["its file is a line end", () => replace("\n")],
  ])("where %s; once it is there, calls go", async (_why, prepare) => {
    prepare();
    const sidecar = await start(fromFile());
    await expectNoToken(sidecar);
    live.add("token-that-came");
    replace("token-that-came\n");
    await expect.poll(() => call(sidecar).then(({ status }) => status), { timeout: 15_000 }).toBe(200);
  });

  it("where the sealed record is absent, or holds none yet", async () => {
    const sealed = await createSealedToken(null);
    onTestFinished(sealed.remove);
    await expectNoToken(await start(sealed.env));
    const nowhere = {
      PRESTO_STORE: `file:${join(folder, "record")}`,
      PRESTO_STORE_KEY: randomBytes(32).toString("base64"),
    };
    await expectNoToken(await start(nowhere));
  });

  it("where the store key's file is absent", async () => {
    const sealed = await createSealedToken("token-in-a-record");
    onTestFinished(sealed.remove);
    const { PRESTO_STORE_KEY: _key, ...env } = sealed.env;
    await expectNoToken(await start({ ...env, PRESTO_STORE_KEY_FILE: join(folder, "no-key") }));
  });
});

describe("it does not even start", () => {
  it.each([
    ["a token with a space", "token with space"],
    ["two lines", "token\ntoken"],
    ["a line end and a field", "token\r\nX-Evil: y"],
    ["a NUL", "token\0"],
    ["letters with accents", "tok\u00e9n"],
    ["a byte order mark", "\ufefftoken"],
    ["a tab", "token\t"],
  ])("with %s in the token's file", async (_what, content) => {
    replace(content);
    await expect(start(fromFile())).rejects.toThrow(/token/i);
    expect(presto.connections()).toBe(0);
  });

  it("with a token's file that others may write", async () => {
    replace("token-of-somebody");
    chmodSync(tokenFile, 0o666);
    await expect(start(fromFile())).rejects.toThrow(/chmod/);
  });

  it.each([
    ["another key", () => ({ PRESTO_STORE_KEY: randomBytes(32).toString("base64") }), /key/],
    [
      "a record that was changed",
      (path: string) => {
        const bytes = readFileSync(path);
        bytes[bytes.length - 10] = (bytes[bytes.length - 10] ?? 0) ^ 1;
        writeFileSync(path, bytes);
        return {};
      },
      /record/,
    ],
    [
      "a record that is cut short",
      (path: string) => {
        writeFileSync(path, readFileSync(path).subarray(0, 40));
        return {};
      },
      /record/,
    ],
    [
      "a record that is no record",
      (path: string) => {
        writeFileSync(path, "token-in-clear-text");
        return {};
      },
      /record/,
    ],
  ] as const)("with %s", async (_what, spoil, words) => {
    const sealed = await createSealedToken("token-in-a-record");
    onTestFinished(sealed.remove);
    const more = spoil((sealed.env["PRESTO_STORE"] ?? "").replace("file:", ""));
    await expect(start({ ...sealed.env, ...more })).rejects.toThrow(words);
    expect(presto.connections()).toBe(0);
  });

  it("without a token in any form", async () => {
    await expect(start({})).rejects.toThrow(/PRESTO_TOKEN/);
    await expect(start({ PRESTO_TOKEN: "" })).rejects.toThrow(/PRESTO_TOKEN/);
  });
});

describe("while it runs", () => {
  it("every call that goes has a token, whatever happens to its file, and no call is without an answer", async () => {
    const contents = [
      "token-one",
      "",
      "token-two\n",
      "bad token",
      "\0",
      "token-three",
      "x".repeat(100_000),
      "token-four",
    ];
    for (const content of contents) if (/^token-\w+\n?$/.test(content)) live.add(content.trim());
    const sidecar = await start(fromFile());
    let done = false;
    const statuses = new Set<number>();
    const caller = async (): Promise<void> => {
      while (!done) statuses.add((await call(sidecar)).status);
    };
    const callers = [caller(), caller(), caller(), caller()];
    for (let round = 0; round < 4; round += 1) {
      for (const content of contents) {
        replace(content);
        await sidecar.app.reload().catch(() => {});
        if (round === 2) rmSync(tokenFile);
      }
    }
    await expect.poll(() => statuses.has(200), { timeout: 15_000 }).toBe(true);
    done = true;
    await Promise.all(callers);
    expect([200, 503]).toEqual(expect.arrayContaining([...statuses]));
    const tokens = new Set(presto.requests.map((request) => request.header("authorization")));
    expect(tokens.size).toBeGreaterThan(1);
  });

  it("a token that Presto refuses is not left out: calls end with a typed error", async () => {
    live.add("token-refused");
    const sidecar = await start({ PRESTO_TOKEN: "token-refused" });
    presto.answer((request) => request.socket.write(httpAnswer(401)));
    expect((await call(sidecar)).status).toBe(401);
    const seen = presto.requests.length;
    const answers = await Promise.all(Array.from({ length: 10 }, () => call(sidecar)));
    for (const answer of answers)
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, "no-token"]);
    expect(presto.requests).toHaveLength(seen);
  });

  it("without trust nothing goes, though there is a token", async () => {
    live.add("token-for-nobody");
    // Before the start, after which a connection stands ready.
    presto.present(await createSelfSigned());
    const sidecar = await start({ PRESTO_TOKEN: "token-for-nobody" });
    for (const bytes of [initCall(), confirmCall("T-1"), queryCall("T-1")]) {
      const answer = await exchange(sidecar, bytes);
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "upstream-untrusted"]);
    }
    await expect.poll(() => presto.open()).toBe(0);
    expect(Buffer.concat(presto.wire())).toHaveLength(0);
  });
});

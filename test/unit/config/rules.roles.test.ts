import { describe, expect, it } from "vitest";

import { examineConfig, loadConfig } from "../../../src/config/load.ts";
import { problemsOf } from "./problems.ts";

const url = { PRESTO_URL: "https://presto.example" };
const key = Buffer.alloc(32, 7).toString("base64");
const sealed = { PRESTO_STORE: "file:/s", PRESTO_STORE_KEY: key };

function problemsWithUrl(env: NodeJS.ProcessEnv): readonly string[] {
  return problemsOf({ ...url, ...env });
}

const credentials: Readonly<Record<string, string>> = {
  PRESTO_EMAIL: "MARKED@presto.example",
  PRESTO_EMAIL_FILE: "/run/MARKED",
  PRESTO_PASSWORD: "MARKED",
  PRESTO_PASSWORD_FILE: "/run/MARKED",
  PRESTO_CREDENTIALS: "file:/MARKED",
};

describe("the role that can't issue", () => {
  it.each([{}, { PRESTO_ROLE: "proxy" }])(
    "refuses to hold credentials, and does not show them (%j)",
    (role) => {
      for (const [name, value] of Object.entries(credentials)) {
        const examined = examineConfig({ ...url, ...sealed, ...role, [name]: value }, []);
        expect(examined.problems).toEqual([
          {
            variable: name,
            wrong: expect.stringContaining("the role proxy cannot issue tokens and must not hold"),
            example: `unset ${name}`,
          },
        ]);
        expect(JSON.stringify(examined)).not.toContain("MARKED");
      }
    },
  );

  it("names each of them, and ends with 78", () => {
    const { PRESTO_EMAIL, PRESTO_PASSWORD_FILE } = credentials;
    const load = () => loadConfig({ ...url, ...sealed, PRESTO_EMAIL, PRESTO_PASSWORD_FILE }, []);
    expect(load).toThrow(
      expect.objectContaining({
        exitCode: 78,
        message: expect.stringMatching(
          /PRESTO_EMAIL: the role proxy[\s\S]*PRESTO_PASSWORD_FILE: the role proxy/,
        ),
      }),
    );
  });

  it("holds none where they are empty", () => {
    const empty = Object.fromEntries(Object.keys(credentials).map((name) => [name, ""]));
    expect(problemsWithUrl({ ...sealed, ...empty })).toEqual([]);
  });
});

describe.each(["rotator", "all"])("the role %s", (role) => {
  const issuing = { ...sealed, PRESTO_ROLE: role };

  it("needs an account, whole, from one place", () => {
    for (const account of [
      { PRESTO_EMAIL: "a@b", PRESTO_PASSWORD: "x" },
      { PRESTO_EMAIL_FILE: "/e", PRESTO_PASSWORD: "x" },
      { PRESTO_EMAIL: "a@b", PRESTO_PASSWORD_FILE: "/p" },
      { PRESTO_CREDENTIALS: "file:/c" },
    ]) {
      expect(problemsWithUrl({ ...issuing, ...account })).toEqual([]);
    }
    expect(problemsWithUrl(issuing)).toEqual([
      expect.stringMatching(
        new RegExp(`^PRESTO_CREDENTIALS: the role ${role} issues tokens, and no credentials are given`),
      ),
    ]);
    expect(problemsWithUrl({ ...issuing, PRESTO_EMAIL: "a@b", PRESTO_PASSWORD: "" })).toEqual([
      expect.stringMatching(
        /^PRESTO_PASSWORD_FILE: .*only an e-mail address is given.* nor PRESTO_PASSWORD is set/,
      ),
    ]);
    expect(problemsWithUrl({ ...issuing, PRESTO_PASSWORD_FILE: "/p" })).toEqual([
      expect.stringMatching(/^PRESTO_EMAIL_FILE: .*only a password is given.* nor PRESTO_EMAIL is set/),
    ]);
  });

  it("is not told that what was refused is missing as well", () => {
    expect(problemsWithUrl({ ...issuing, PRESTO_CREDENTIALS: "x" })).toHaveLength(1);
    expect(problemsWithUrl({ ...issuing, PRESTO_EMAIL: "x", PRESTO_PASSWORD: "x" })).toHaveLength(1);
    expect(problemsWithUrl({ ...issuing, PRESTO_ROLE: "x", PRESTO_EMAIL: "a@b" })).toHaveLength(1);
  });

  it("needs a store that it can write to, with a token in it or without", () => {
    const account = { PRESTO_ROLE: role, PRESTO_EMAIL: "a@b", PRESTO_PASSWORD: "x" };
    for (const env of [account, { ...account, PRESTO_STORE: "env:", PRESTO_TOKEN: "abc" }]) {
      expect(problemsWithUrl(env)).toEqual([
        expect.stringMatching(
          new RegExp(`^PRESTO_STORE: is env:, which can only be read, and the role ${role}`),
        ),
      ]);
    }
  });

  it("is told all of it at once", () => {
    expect(problemsWithUrl({ PRESTO_ROLE: role })).toEqual([
      expect.stringMatching(/^PRESTO_CREDENTIALS: .*no credentials/),
      expect.stringMatching(/^PRESTO_STORE: is env:/),
    ]);
  });
});

describe("a lock", () => {
  it("is not named beside a store that has its own, or that is never written", () => {
    for (const PRESTO_LOCK of ["store", "kubernetes:presto/token"]) {
      expect(problemsWithUrl({ ...sealed, PRESTO_LOCK })).toEqual([
        expect.stringMatching(/^PRESTO_LOCK: .*is file:, which has its own and takes no other/),
      ]);
      expect(problemsWithUrl({ PRESTO_TOKEN: "abc", PRESTO_LOCK })).toEqual([
        expect.stringMatching(/^PRESTO_LOCK: .*is env:, where nothing is ever locked/),
      ]);
    }
  });
});

describe("what the rotator does not bind", () => {
  const rotator = { ...sealed, PRESTO_ROLE: "rotator", PRESTO_CREDENTIALS: "file:/c" };

  it("may be another listener's address", () => {
    const env = { ...rotator, PRESTO_ADMIN_LISTEN: "0.0.0.0:7380", PRESTO_CONTROL_LISTEN: "off" };
    expect(problemsWithUrl(env)).toEqual([]);
    expect(problemsWithUrl({ ...env, PRESTO_ROLE: "all" })).toEqual([
      expect.stringMatching(/^PRESTO_ADMIN_LISTEN: 0\.0\.0\.0:7380 is already taken/),
    ]);
  });

  it("may be reachable, and is never listened on", () => {
    const env = { ...url, ...rotator, PRESTO_LISTEN: "0.0.0.0:80" };
    expect(loadConfig(env, []).listen).toEqual([]);
    expect(problemsWithUrl({ ...env, PRESTO_ROLE: "all" })).toHaveLength(1);
  });

  it("does not spare the two others", () => {
    expect(problemsWithUrl({ ...rotator, PRESTO_CONTROL_LISTEN: "127.0.0.1:7381" })).toHaveLength(1);
  });
});

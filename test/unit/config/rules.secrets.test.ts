import { describe, expect, it } from "vitest";

import { problemsOf } from "./problems.ts";

const url = { PRESTO_URL: "https://presto.example" };
const least = { ...url, PRESTO_TOKEN: "abc" };
const key = Buffer.alloc(32, 7).toString("base64");
const issuing = { ...url, PRESTO_ROLE: "all", PRESTO_STORE: "file:/s", PRESTO_STORE_KEY: key };

describe("rules about where secrets come from", () => {
  it("a secret comes by value or by file, not both", () => {
    expect(problemsOf({ ...least, PRESTO_TOKEN_FILE: "/t" })).toEqual([
      expect.stringMatching(/^PRESTO_TOKEN_FILE: is given beside PRESTO_TOKEN;/),
    ]);
    expect(
      problemsOf({ ...url, PRESTO_STORE: "file:/s", PRESTO_STORE_KEY: key, PRESTO_STORE_KEY_FILE: "/k" }),
    ).toEqual([expect.stringMatching(/^PRESTO_STORE_KEY_FILE: is given beside PRESTO_STORE_KEY;/)]);
  });

  it("the egress proxy comes by value or by file, too", () => {
    const both = { PRESTO_EGRESS_PROXY: "http://g.example:1", PRESTO_EGRESS_PROXY_FILE: "/p" };
    expect(problemsOf({ ...least, ...both })).toEqual([
      expect.stringMatching(/^PRESTO_EGRESS_PROXY_FILE: is given beside PRESTO_EGRESS_PROXY;/),
    ]);
  });

  it("env: needs a token, an empty one is none", () => {
    for (const env of [
      url,
      { ...url, PRESTO_TOKEN: "" },
      { ...url, PRESTO_TOKEN: "", PRESTO_TOKEN_FILE: "" },
      { ...url, PRESTO_STORE_KEY: key },
    ]) {
      expect(problemsOf(env)).toEqual([
        expect.stringContaining("PRESTO_STORE is env: and there is no token"),
      ]);
    }
  });

  it("file: needs a key, an empty one is none", () => {
    for (const env of [{}, { PRESTO_STORE_KEY: "" }, { PRESTO_TOKEN: "abc" }]) {
      expect(problemsOf({ ...url, PRESTO_STORE: "file:/s", ...env })).toEqual([
        expect.stringContaining("PRESTO_STORE is file: and there is no key"),
      ]);
    }
  });

  it("a secret that was refused is not called missing as well", () => {
    expect(problemsOf({ ...url, PRESTO_TOKEN: "a b" })).toHaveLength(1);
    expect(problemsOf({ ...url, PRESTO_STORE: "file:/s", PRESTO_STORE_KEY: "x" })).toHaveLength(1);
    expect(problemsOf({ PRESTO_URL: "x", PRESTO_TOKEN: "a" })).toHaveLength(1);
  });

  it("the account's e-mail and password come by value or by file, too", () => {
    const account = { PRESTO_EMAIL: "a@b", PRESTO_PASSWORD: "x" };
    expect(
      problemsOf({ ...issuing, ...account, PRESTO_EMAIL_FILE: "/e", PRESTO_PASSWORD_FILE: "/p" }),
    ).toEqual([
      expect.stringMatching(/^PRESTO_EMAIL_FILE: is given beside PRESTO_EMAIL;/),
      expect.stringMatching(/^PRESTO_PASSWORD_FILE: is given beside PRESTO_PASSWORD;/),
    ]);
  });

  it.each(["PRESTO_EMAIL", "PRESTO_EMAIL_FILE", "PRESTO_PASSWORD", "PRESTO_PASSWORD_FILE"])(
    "the account comes from one place: not from PRESTO_CREDENTIALS and from %s",
    (name) => {
      const value = name.endsWith("_FILE") ? "/f" : "a@b";
      expect(problemsOf({ ...issuing, PRESTO_CREDENTIALS: "file:/c", [name]: value })).toEqual([
        `PRESTO_CREDENTIALS: is given beside ${name}; the account comes from one place only`,
      ]);
      expect(problemsOf({ ...issuing, PRESTO_CREDENTIALS: "file:/c", [name]: "" })).toEqual([]);
    },
  );

  it.each(["/s", "/s.lock", "/s.write-lock", "/s.lock-holder", "/./s", "//s", "/x/../s.write-lock-holder"])(
    "credentials have a file of their own, and %s is the record's (or its lock)",
    (path) => {
      expect(problemsOf({ ...issuing, PRESTO_CREDENTIALS: `file:/x/..${path}` })).toEqual([
        expect.stringMatching(/^PRESTO_CREDENTIALS: names the file of PRESTO_STORE/),
      ]);
    },
  );

  it("nor may the record be a file beside the credentials", () => {
    expect(
      problemsOf({ ...issuing, PRESTO_STORE: "file:/c.write-lock", PRESTO_CREDENTIALS: "file:/c" }),
    ).toHaveLength(1);
    expect(problemsOf({ ...issuing, PRESTO_STORE: "file:/c.d/s", PRESTO_CREDENTIALS: "file:/c" })).toEqual(
      [],
    );
  });

  it("sealed credentials need a key, which is asked for once", () => {
    const { PRESTO_STORE_KEY: _, ...keyless } = issuing;
    expect(problemsOf({ ...keyless, PRESTO_CREDENTIALS: "file:/c" })).toEqual([
      expect.stringMatching(/^PRESTO_STORE_KEY_FILE: PRESTO_STORE is file: and there is no key/),
    ]);
    expect(problemsOf({ ...keyless, PRESTO_STORE: "env:", PRESTO_CREDENTIALS: "file:/c" })).toEqual([
      expect.stringMatching(/^PRESTO_STORE: is env:/),
      expect.stringMatching(/^PRESTO_STORE_KEY_FILE: PRESTO_CREDENTIALS is file: and there is no key/),
    ]);
  });
});

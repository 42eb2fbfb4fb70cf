import { describe, expect, it } from "vitest";

import { parseCredentialAddress, parseEmail, parsePassword } from "../../../src/config/parse-secrets.ts";
import { InvalidValue } from "../../../src/config/parse.ts";

describe("an e-mail address and a password by value", () => {
  it("lose the line end of a file or a shell, and stay in their box", () => {
    expect(parseEmail("a@b\n").reveal()).toBe("a@b");
    expect(parsePassword("pä ss\r\n").reveal()).toBe("pä ss");
    expect(String(parsePassword("MARKED"))).not.toContain("MARKED");
  });

  it.each(["MARKED", "MARKED@", "MARKED @b", "\n"])("%j is no address, and not shown", (text) => {
    expect(() => parseEmail(text)).toThrow(InvalidValue);
    expect(() => parseEmail(text)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("MARKED") }),
    );
  });

  it("an empty password is none", () => {
    expect(() => parsePassword("\r\n")).toThrow("is empty");
  });
});

describe("where the credentials lie", () => {
  it("is a file", () => {
    expect(parseCredentialAddress("file:/c")).toMatchObject({
      kind: "file",
      address: "/c",
      canWrite: true,
      sealing: "always",
    });
  });

  it.each([
    ["env:", "PRESTO_EMAIL and PRESTO_PASSWORD"],
    ["vault:presto", "vault:MOUNT/PATH"],
    ["file:c", "absolute"],
    ["file:///c", "slashes"],
    ["file:/c/", "folder"],
    ["/c", "none of file:/path, kubernetes:"],
    ["file", "none of file:/path, kubernetes:"],
    ["MARKED", "none of file:/path, kubernetes:"],
  ])("%j is refused: %s", (text, why) => {
    expect(() => parseCredentialAddress(text)).toThrow(InvalidValue);
    expect(() => parseCredentialAddress(text)).toThrow(why);
    expect(() => parseCredentialAddress(text)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("MARKED") }),
    );
  });
});

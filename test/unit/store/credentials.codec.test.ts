import { describe, expect, it } from "vitest";

import { parseJson, RecordFormatError } from "../../../src/lib/json.ts";
import { decodeCredentials, encodeCredentials } from "../../../src/store/credentials.ts";
import { credentialsOf, plain } from "./accounts.ts";

const full = credentialsOf("MARKED pä$$", "MARKED 🔑");
const text = encodeCredentials(full);

function changed(fields: Readonly<Record<string, unknown>>): string {
  const json: unknown = JSON.parse(text);
  return JSON.stringify({ ...Object(json), ...fields });
}

describe("credential codec", () => {
  it("gives back every field", () => {
    expect(plain(decodeCredentials(JSON.parse(text)))).toEqual(plain(full));
    const settled = credentialsOf("only one");
    expect(plain(decodeCredentials(JSON.parse(encodeCredentials(settled))))).toEqual(plain(settled));
  });

  it("writes no field that credentials do not have", () => {
    expect(encodeCredentials(Object.assign({ extra: 1 }, full))).toBe(text);
  });

  it.each<[string, string]>([
    ["text that is not JSON", "MARKED {"],
    ["JSON that is no object", '"MARKED"'],
    ["a list", "[]"],
    ["a missing field", JSON.stringify({ schema: 1, email: "MARKED@b", password: "x" })],
    ["an unknown field", changed({ MARKED: 1 })],
    ["another schema", changed({ schema: 2 })],
    ["no schema", changed({ schema: null })],
    ["an address that is none", changed({ email: "MARKED" })],
    ["an address that is no text", changed({ email: ["MARKED@b"] })],
    ["an empty password", changed({ password: "" })],
    ["no password", changed({ password: null })],
    ["a password that is no Unicode text", changed({ password: "MARKED\ud800" })],
    ["a pending password that is empty", changed({ pending: "" })],
    ["a pending password that is a flag", changed({ pending: false })],
  ])("refuses %s, and shows none of it", (_case, json) => {
    let thrown: unknown;
    try {
      decodeCredentials(parseJson(json, "the record"));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RecordFormatError);
    expect(String(thrown)).not.toContain("MARKED");
    expect(thrown).not.toHaveProperty("cause");
  });
});

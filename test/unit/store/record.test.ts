import { describe, expect, it } from "vitest";

import { parseJson, RecordFormatError } from "../../../src/lib/json.ts";
import { decodeRecord, encodeRecord } from "../../../src/store/record.ts";
import { plain, recordOf } from "./records.ts";

const full = {
  ...recordOf("MARKED-token", 3),
  intent: {
    id: "an-id",
    holder: "a-holder",
    soleCall: false,
    reason: "takeover" as const,
    at: new Date("2026-11-02T00:00:00.123Z"),
  },
  unexplainedDeaths: [new Date("2026-11-03T00:00:00.000Z")],
  stopped: { reason: "MARKED reason", at: new Date("2026-11-04T00:00:00.000Z") },
  writtenBy: { holder: "a-holder", lock: "a-lock" },
};

/** The record's JSON with another value in one place (`intent.at`), or without that place where none is given. */
function changed(place: string, value?: unknown): string {
  const json: unknown = JSON.parse(encodeRecord(full));
  const names = place.split(".");
  const last = names.pop() ?? "";
  let object: unknown = json;
  for (const name of names)
    object = typeof object === "object" && object !== null && Reflect.get(object, name);
  if (typeof object !== "object" || object === null) throw new Error(`there is no ${place}`);
  if (value === undefined) Reflect.deleteProperty(object, last);
  else Reflect.set(object, last, value);
  return JSON.stringify(json);
}

describe("record codec", () => {
  it("gives back every field", () => {
    expect(plain(decodeRecord(JSON.parse(encodeRecord(full))))).toEqual(plain(full));
  });

  it("writes the token itself, and times in ISO 8601", () => {
    expect(JSON.parse(encodeRecord(full))).toMatchObject({
      token: "MARKED-token",
      issuedAt: "2026-11-01T08:00:00.000Z",
      intent: { at: "2026-11-02T00:00:00.123Z" },
    });
  });

  it("writes no field that a record does not have", () => {
    const more = { ...full, extra: 1, stopped: { ...full.stopped, extra: 1 } };
    expect(encodeRecord(more)).toBe(encodeRecord(full));
  });

  it("keeps the fields of a later version, of the record and of what stands in it", () => {
    const later = JSON.parse(encodeRecord(full));
    later.rooms = { uid: "a" };
    later.intent.more = [1];
    later.stopped.by = { person: "a" };
    later.writtenBy.version = "9.9.9";
    expect(JSON.parse(encodeRecord(decodeRecord(later)))).toEqual(later);
  });

  it("reads a record of before there was `lastDeath`, and writes none where there is none", () => {
    expect(JSON.parse(encodeRecord(decodeRecord(JSON.parse(encodeRecord(full)))))).not.toHaveProperty(
      "lastDeath",
    );
    const dead = { ...full, lastDeath: "an-id" };
    expect(decodeRecord(JSON.parse(encodeRecord(dead))).lastDeath).toBe("an-id");
  });

  it("reads which object it was written for, whatever parts that is told in, and writes none where there is none", () => {
    expect(encodeRecord({ ...full, home: null })).toBe(encodeRecord(full));
    const home = { uid: "a", name: "token", more: "of a later version" };
    const json: unknown = JSON.parse(encodeRecord({ ...full, home }));
    expect(decodeRecord(json).home).toEqual(home);
    expect(() => decodeRecord({ ...full, ...Object(json), home: { uid: 1 } })).toThrow("a field of home");
  });

  it("writes no invalid date as an unknown one", () => {
    expect(() => encodeRecord({ ...full, expiresAt: new Date(Number.NaN) })).toThrow(RangeError);
  });

  it.each<[string, string]>([
    ["text that is not JSON", "MARKED {"],
    ["JSON that is no object", '"MARKED"'],
    ["a list", "[]"],
    ["null", "null"],
    ["a missing field", changed("name")],
    ["an unknown field in place of a known one", changed("name").replace("{", '{"MARKED":"x",')],
    ["another schema", changed("schema", 2)],
    ["a negative generation", changed("generation", -1)],
    ["a broken generation", changed("generation", 1.5)],
    ["a generation as text", changed("generation", "1")],
    ["a generation too large to count on", changed("generation", 2 ** 53)],
    ["a token that is no text", changed("token", 1)],
    ["an empty token", changed("token", "")],
    ["a token with a space", changed("token", "MARKED x")],
    ["a name that is no text", changed("name", {})],
    ["a date without a time", changed("expiresAt", "2026-11-02")],
    ["a time in another form", changed("expiresAt", "2026-11-02T00:00:00Z")],
    ["a day that does not exist", changed("expiresAt", "2026-02-30T00:00:00.000Z")],
    ["a time as a number", changed("issuedAt", 0)],
    ["deaths that are no list", changed("unexplainedDeaths", null)],
    ["a death that is no time", changed("unexplainedDeaths", ["MARKED"])],
    ["a reason that is not known", changed("intent.reason", "MARKED")],
    ["an intent that may be sole", changed("intent.soleCall", null)],
    ["an alarm that is a flag", changed("stopped", true)],
    ["a writer without its lock", changed("writtenBy.lock")],
  ])("refuses %s, and shows none of it", (_case, text) => {
    let thrown: unknown;
    try {
      decodeRecord(parseJson(text, "the record"));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RecordFormatError);
    expect(String(thrown)).not.toContain("MARKED");
    expect(thrown).not.toHaveProperty("cause");
  });
});

import { inspect } from "node:util";

import { describe, expect, it } from "vitest";

import { issueBody, longestToken, readIssueAnswer, resetBody } from "../../../src/presto/auth.ts";
import { Secret } from "../../../src/secret.ts";
import { answerOf, type AnswerOptions, asked, now } from "./replies.ts";

const whole = {
  token: "1111|kjbd.eyJ-_~+/=",
  token_name: "their-name",
  expiration_date: "2027-02-25T00:00:00+00:00",
  created_at: "2026-11-24T12:29:58+00:00",
};

function issued(body: unknown, options?: AnswerOptions): Record<string, string> {
  const end = readIssueAnswer(answerOf(body, options), asked, now);
  if (end.kind !== "issued") throw new Error(`not issued: ${inspect(end)}`);
  const { token, name, issuedAt, expiresAt } = end.issued;
  return {
    token: token.reveal(),
    name,
    issuedAt: issuedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  };
}

const told = {
  token: whole.token,
  name: "their-name",
  issuedAt: "2026-11-24T12:29:58.000Z",
  expiresAt: "2027-02-25T00:00:00.000Z",
};

describe("a request", () => {
  it("for a token has the four fields, and the day in UTC", () => {
    const expiresAt = new Date("2027-02-23T00:00:00Z");
    expect(JSON.parse(issueBody({ ...asked, expiresAt }).toString())).toEqual({
      email: "fi@bank.example",
      password: "Pass-w0rd!",
      token_name: "asked-name",
      token_expiration_date: "2027-02-23",
    });
  });

  it("for a new password has the three fields, in UTF-8", () => {
    const body = resetBody(asked.account, new Secret('Nü"w-\\1'));
    expect(JSON.parse(body.toString("utf8"))).toEqual({
      email: "fi@bank.example",
      current_password: "Pass-w0rd!",
      new_password: 'Nü"w-\\1',
    });
  });
});

describe("an answer to an issue call", () => {
  it("is a token with what Presto says of it", () => {
    expect(issued({ data: whole })).toEqual(told);
  });

  it.each<[string, unknown, AnswerOptions?]>([
    ["another 2xx", { data: whole }, { status: 201 }],
    ["a charset", { data: whole }, { type: "application/json; charset=UTF-8" }],
    ["an odd charset", { data: whole }, { type: 'APPLICATION/JSON ;charset="iso-8859-1"' }],
    ["a vendor's JSON type", { data: whole }, { type: "application/vnd.api+json" }],
    ["no content type", { data: whole }, { type: null }],
    ["a wrong content type", { data: whole }, { type: "text/html; charset=UTF-8" }],
    ["a byte order mark", `\u{feff}${JSON.stringify({ data: whole })}`],
    ["white space around", `\r\n ${JSON.stringify({ data: whole })}\n`],
    ["more members", { message: "ok", data: { ...whole, abilities: ["*"] }, errors: null }],
    ["a member given twice, of which the last counts", `{"data":1,"data":${JSON.stringify(whole)}}`],
  ])("is one with %s", (_what, body, options) => {
    expect(issued(body, options)).toEqual(told);
  });

  const { token } = whole;
  it("is made up for where all but the token is missing: asked name, asked end, now", () => {
    expect(issued({ data: { token } })).toEqual({
      token,
      name: "asked-name",
      issuedAt: "2026-11-24T12:30:00.000Z",
      expiresAt: "2027-02-23T00:00:00.000Z",
    });
  });

  it.each<[string, object, object]>([
    ["a plain date", { expiration_date: "2027-02-20" }, { expiresAt: "2027-02-20T00:00:00.000Z" }],
    [
      "an end in another zone",
      { expiration_date: "2027-02-20T02:00:00+02:00" },
      { expiresAt: "2027-02-20T00:00:00.000Z" },
    ],
    ["an unreadable end", { expiration_date: "in 90 days" }, { expiresAt: "2027-02-23T00:00:00.000Z" }],
    [
      "an end that is a number",
      { expiration_date: 1_803_340_800 },
      { expiresAt: "2027-02-23T00:00:00.000Z" },
    ],
    ["an end that is past", { expiration_date: "2026-11-24" }, { expiresAt: "2027-02-23T00:00:00.000Z" }],
    ["an unreadable beginning", { created_at: null }, { issuedAt: "2026-11-24T12:30:00.000Z" }],
    ["a beginning after the end", { created_at: "2028-01-01" }, { issuedAt: "2026-11-24T12:30:00.000Z" }],
    ["a name that is no text", { token_name: 7 }, { name: "asked-name" }],
    ["an empty name", { token_name: "" }, { name: "asked-name" }],
    ["a name that moves a cursor", { token_name: "a\u001b[2Jb" }, { name: "asked-name" }],
  ])("takes %s for what it is", (_what, change, expected) => {
    expect(issued({ data: { ...whole, ...change } })).toEqual({ ...told, ...expected });
  });

  it("names the day that was told as the end, even if more was asked for", () => {
    const end = readIssueAnswer(
      answerOf({ data: { token } }),
      { ...asked, expiresAt: new Date("2027-02-23T17:00:00Z") },
      now,
    );
    expect(end).toMatchObject({ issued: { expiresAt: new Date("2027-02-23T00:00:00Z") } });
  });

  it("takes the longest token, and no longer one", () => {
    expect(issued({ data: { token: "t".repeat(longestToken) } })).toMatchObject({ name: "asked-name" });
    const longer = readIssueAnswer(answerOf({ data: { token: "t".repeat(longestToken + 1) } }), asked, now);
    expect(longer).toMatchObject({ kind: "unclear", cause: { code: "unusable-token" } });
  });

  it.each<[string, string, unknown, AnswerOptions?]>([
    ["not-json", "is empty", ""],
    ["not-json", "is empty, with 204", "", { status: 204 }],
    ["not-json", "is a page", "<html>token</html>", { type: "text/html" }],
    ["not-json", "is half of itself", JSON.stringify({ data: whole }).slice(0, -2)],
    ["not-json", "is a list", [{ data: whole }]],
    ["not-json", "is a text", JSON.stringify("token")],
    ["no-token", "has no data", { token: "1|abc" }],
    ["no-token", "has data that is a list", { data: [whole] }],
    ["no-token", "has no token", { data: { token_name: "n" } }],
    ["no-token", "has null for a token", { data: { token: null } }],
    ["no-token", "has an empty token", { data: { token: "" } }],
    ["unusable-token", "has a number for a token", { data: { token: 12_345_678 } }],
    ["unusable-token", "has a token with a space", { data: { token: "1| abc" } }],
    ["unusable-token", "has a token with a line end", { data: { token: "1|abc\r\n" } }],
    ["unusable-token", "has a token with a NUL", { data: { token: "1|a\u0000bc" } }],
    ["unusable-token", "has a token beyond ASCII", { data: { token: "1|äbc" } }],
    ["unexpected-status", "is a redirect", { data: whole }, { status: 302 }],
    ["unexpected-status", "is a 400", { message: "no" }, { status: 400 }],
    ["unexpected-status", "is a 403", { message: "no" }, { status: 403 }],
    ["unexpected-status", "is a 408", { message: "no" }, { status: 408 }],
    ["unexpected-status", "is a 500", { message: "no" }, { status: 500 }],
    [
      "unexpected-status",
      "is a 503 that names a time",
      { message: "no" },
      { status: 503, headers: ["Retry-After", "1"] },
    ],
    ["unexpected-status", "is a page with 401", "<html>no</html>", { status: 401, type: "text/html" }],
    [
      "unexpected-status",
      "is a 401 in the right shape that says it is a page",
      { message: "no" },
      { status: 401, type: "text/html" },
    ],
    ["unexpected-status", "is an empty 401", "", { status: 401 }],
    ["unexpected-status", "is a 401 without a message", { error: "no" }, { status: 401 }],
    ["unexpected-status", "is a 422 whose message is no text", { message: ["no"] }, { status: 422 }],
    ["unexpected-status", "is a 429 that is a list", ["no"], { status: 429 }],
  ])("is unclear, %s, where it %s", (code, _what, body, options) => {
    const end = readIssueAnswer(answerOf(body, options), asked, now);
    expect(end).toMatchObject({ kind: "unclear", cause: { name: "OwnRequestError", code } });
  });
});

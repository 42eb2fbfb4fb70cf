import { inspect } from "node:util";

import { describe, expect, it } from "vitest";

import { readIssueAnswer, readResetAnswer } from "../../../src/presto/auth.ts";
import { marksIn } from "../../support/marks.ts";
import { answerOf, type AnswerOptions, asked, now } from "./replies.ts";

describe("a refusal", () => {
  it.each([401, 422, 429] as const)("is a %i in Presto's shape, typed as JSON or not at all", (status) => {
    for (const type of ["application/json", "application/problem+json", null, ""]) {
      const end = readIssueAnswer(answerOf({ message: "no" }, { status, type }), asked, now);
      expect(end).toMatchObject({ kind: "refused", status });
      expect(end).not.toHaveProperty("retryAfterMs");
    }
  });

  it("by 422 names the fields that it complains of, where they look like fields", () => {
    const errors = {
      token_name: ["too long"],
      "fi@bank.example": ["x"],
      Password: [],
      "a b": [],
      password: "x",
    };
    const end = readIssueAnswer(answerOf({ message: "no", errors }, { status: 422 }), asked, now);
    expect(end).toMatchObject({
      detail: "Presto refused what was asked for (422); it named: token_name, password.",
    });
    const bare = readIssueAnswer(answerOf({ message: "no", errors: ["x"] }, { status: 422 }), asked, now);
    expect(bare).toMatchObject({ detail: "Presto refused what was asked for (422); it named no field." });
  });

  it("hands on how long to wait", () => {
    const headers = ["Date", "x", "retry-after", "7"];
    const end = readIssueAnswer(answerOf({ message: "no" }, { status: 429, headers }), asked, now);
    expect(end).toMatchObject({ retryAfterMs: 7_000 });
  });
});

describe("an answer to a reset", () => {
  it.each<[string, unknown]>([
    ["whole", { message: "done", data: { updated_at: "2026-11-24T12:30:00+00:00" } }],
    ["without its data", { message: "done" }],
    ["without its message", { data: {} }],
  ])("is a success, %s", (_what, body) => {
    expect(readResetAnswer(answerOf(body), now)).toEqual({ kind: "reset" });
  });

  it.each<[string, unknown, AnswerOptions?]>([
    ["empty", ""],
    ["a page", "<html></html>", { type: "text/html" }],
    ["an empty object", {}],
    ["a 500", { message: "no" }, { status: 500 }],
    ["a page with 422", "<html></html>", { status: 422, type: "text/html" }],
  ])("is unclear, being %s", (_what, body, options) => {
    expect(readResetAnswer(answerOf(body, options), now)).toMatchObject({ kind: "unclear" });
  });

  it("is a refusal that says of what", () => {
    expect(readResetAnswer(answerOf({ message: "no" }, { status: 401 }), now)).toEqual({
      kind: "refused",
      status: 401,
      detail: "Presto refused the e-mail or the current password (401).",
    });
  });
});

it("what comes of an answer quotes nothing of it", () => {
  const mark = "Mark7-fi@bank.example-Q9zXw";
  const bodies = [
    mark,
    { message: mark },
    { message: mark, errors: { [mark]: [mark] } },
    { data: { token: `${mark} ` } },
    `{"${mark}`,
  ];
  for (const status of [200, 302, 401, 403, 422, 429, 500]) {
    for (const body of bodies) {
      for (const type of ["application/json", "text/html", null]) {
        const answer = answerOf(body, { status, type, headers: ["Retry-After", mark] });
        const ends = [readIssueAnswer(answer, asked, now), readResetAnswer(answer, now)];
        const text = inspect(ends, { depth: null, showHidden: true });
        expect(marksIn(text, [{ name: "answer", value: mark }])).toEqual([]);
      }
    }
  }
});
